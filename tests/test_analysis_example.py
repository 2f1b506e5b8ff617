"""The example of docs/analysis.md, run as a user runs it, against a real server with a simulated board."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import blitz

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "analyse_session.py"


def test_the_example_analyses_a_recorded_session(server: Any, tmp_path: Path) -> None:
    with blitz.Client(server.url) as client:
        session = client.start("an example")
        deadline_s = time.monotonic() + 30
        while client.session(session.id).message_count < 40:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        client.stop(session.id)
        labels = list(client.readings(session.id, count=1000))

    for arguments in ([server.url], [server.url, str(session.id)]):  # the second time from the cache
        done = subprocess.run(
            [sys.executable, "-W", "error", EXAMPLE, *arguments],
            capture_output=True,
            text=True,
            timeout=100,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert f"Session {session.id} 'an example': " in done.stdout
        for label in labels:
            assert f"{label}: " in done.stdout
    assert (tmp_path / "analysis.db").is_file()


def test_the_example_is_short() -> None:
    lines = EXAMPLE.read_text("utf-8").split('"""', 2)[2].strip().splitlines()
    assert len([line for line in lines if line]) <= 30
