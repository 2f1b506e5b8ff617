"""Faults put into the code on purpose: the simulation must find each. What is not tested is not known to work.

    python tests/simulation/mutations.py

Each is tried in a copy of the project, with seeds from 0 on, until a world breaks.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_WORLDS = 20_000
CHUNK = 500


@dataclass(frozen=True)
class Mutation:
    """A fault: what is left out, and how.

    :param before: a text that stands once in the file.
    """

    name: str
    path: str
    before: str
    after: str

    @property
    def fits(self) -> bool:
        """Whether the code still has what is to be changed."""
        return (ROOT / self.path).read_text().count(self.before) == 1


MUTATIONS = (
    Mutation(
        "a record of the spool counts before it is synchronised",
        "blitz/data/spool.py",
        "            self._file.write(encoded)\n            self._file.sync()\n",
        "            self._file.write(encoded)\n",
    ),
    Mutation(
        "the name of a new spool file is not synchronised",
        "blitz/data/spool.py",
        "            self._disk.sync_folder(self._folder)\n        except BaseException:",
        "            pass\n        except BaseException:",
    ),
    Mutation(
        "what a killed server wrote is taken up without synchronising it",
        "blitz/data/spool.py",
        "            if newest:\n                self._write_again(newest)\n",
        "",
    ),
    Mutation(
        "a synchronisation that failed counts",
        "blitz/data/spool.py",
        "            self._file.write(encoded)\n            self._file.sync()\n",
        "            self._file.write(encoded)\n"
        "            with contextlib.suppress(OSError):\n                self._file.sync()\n",
    ),
    Mutation(
        "checksums of the spool are not compared",
        "blitz/data/spool_records.py",
        "    if zlib.crc32(payload, kind) != checksum:\n        return None\n",
        "",
    ),
    Mutation(
        "the spool's oldest records are dropped before the store has them",
        "blitz/io/intake.py",
        "        done = self._carry_out_first(records) if records else 0\n",
        "        if records:\n            self.spool.drop(1)\n"
        "        done = 0 * self._carry_out_first(records) if records else 0\n",
    ),
    Mutation(
        "what comes goes to the store although the spool holds older messages",
        "blitz/io/intake.py",
        "self._begin_spooling(None)",
        "pass",
    ),
    Mutation(
        "a resumed session forgets what the spool holds of it",
        "blitz/io/intake.py",
        "max(next_seq, self.spool.next_seq(session_id) or 0)",
        "next_seq",
    ),
    Mutation(
        "the place of a batch whose reply was lost is not looked up",
        "blitz/io/intake.py",
        "                        self._reach(session_id, writer.next_seq)\n",
        "",
    ),
    Mutation(
        "the writer does not look up whether a batch has landed",
        "blitz/data/store_writer.py",
        "            if int(number) == batch:\n",
        "            if int(number) < 0:\n",
    ),
    Mutation(
        "placing does not look up which batches have landed",
        "blitz/data/store_placing.py",
        "            left = _after(batches, landed)\n",
        "            left = _after(batches, 0)\n",
    ),
    Mutation(
        "spooled messages come behind those that other programs queued",
        "blitz/data/store_placing.py",
        "            at = max(min(left[0].first_seq, end), first)\n",
        "            at = end\n",
    ),
    Mutation(
        "a killed server's last append is not fenced off",
        "blitz/data/store_writer.py",
        "redis.call('SET', KEYS[1], ARGV[1])\nreturn 1\n",
        "return 1\n",
    ),
    Mutation(
        "the store lets go of messages before the archive's file is synchronised",
        "blitz/data/archive_files.py",
        "        file.write(written[-1])\n        file.sync()\n",
        "        file.write(written[-1])\n",
    ),
    Mutation(
        "the store lets go of messages before the archive's name is synchronised",
        "blitz/data/archive.py",
        "                self._disk.replace(part, segment.path)\n                self._disk.sync_folder(folder)\n",
        "                self._disk.replace(part, segment.path)\n",
    ),
    Mutation(
        "messages leave the store one more than were archived",
        "blitz/data/archive_store.py",
        "redis.call('LTRIM', KEYS[3], stop - first, -1)",
        "redis.call('LTRIM', KEYS[3], stop - first + 1, -1)",
    ),
    Mutation(
        "a session that was about to follow when the server was killed does not begin",
        "blitz/io/taking_up.py",
        "        store.follow_session(before or 0, following, store.session(following).started_ms, FOLLOWED)\n",
        "",
    ),
    Mutation(
        "a server that is started takes no heed of what the spool holds of the session that follows",
        "blitz/io/taking_up.py",
        " or spool.first_seq(following) is not None",
        "",
    ),
    Mutation(
        "the archive goes past what the server knows of",
        "blitz/data/archive_reach.py",
        "            if end >= extent.stop:\n",
        "            if end >= 0:\n",
    ),
)


def worlds_until_found(mutation: Mutation, most: int = MOST_WORLDS) -> int | None:
    """Return how many worlds it takes until one breaks; None if none of so many does."""
    with tempfile.TemporaryDirectory(prefix="blitz-mutation-") as folder:
        for part in ("blitz", "tests/simulation"):
            shutil.copytree(ROOT / part, Path(folder) / part, ignore=shutil.ignore_patterns("__pycache__"))
        path = Path(folder) / mutation.path
        if not mutation.fits:
            raise ValueError(f"{mutation.path} has changed: write the mutation {mutation.name!r} anew.")
        path.write_text(path.read_text().replace(mutation.before, mutation.after))
        for first in range(0, most, CHUNK):
            command = [sys.executable, "tests/simulation/simulate.py", "--first", str(first), "--count", str(CHUNK)]
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if run.returncode:
                found = re.search(r"SEED=(\d+)", run.stdout)
                if found is None:
                    raise RuntimeError(run.stdout + run.stderr)
                return int(found[1]) + 1
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Put faults into a copy of the code; the simulation must find them.")
    parser.add_argument("--only", default="", help="a part of the names of those to try")
    chosen = parser.parse_args(arguments)
    missed = 0
    for mutation in MUTATIONS:
        if chosen.only in mutation.name:
            count = worlds_until_found(mutation)
            missed += count is None
            print(f"{count or 'NOT FOUND':>9}  {mutation.name}", flush=True)  # noqa: T201
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
