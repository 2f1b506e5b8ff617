"""Files of this machine's disk, which the system begins to write out before they are synchronised."""

from pathlib import Path

from blitz.data.disk import LocalDisk


def test_a_large_file_holds_what_was_written_cut_and_written_again(tmp_path: Path) -> None:
    disk, path = LocalDisk(), tmp_path / "large"
    parts = [bytes([number]) * 700_001 for number in range(5)]
    file = disk.open(path)
    for part in parts:
        file.write(part)
    file.truncate(1_000_000)
    for part in parts:
        file.write(part)
    file.sync()
    assert file.size == disk.size(path) == 1_000_000 + 5 * 700_001
    file.close()
    assert disk.read(path) == b"".join(parts)[:1_000_000] + b"".join(parts)
