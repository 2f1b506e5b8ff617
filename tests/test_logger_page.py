"""The examples of docs/logger.md, run in their order, against a real server."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "logger.md"
URL = "http://127.0.0.1:8999"


def test_the_examples_do_what_the_page_says(run_server: Callable[..., Any], tmp_path: Path) -> None:
    server = run_server("--durability", "none")
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    script = tmp_path / "script.py"
    script.write_text("\n".join(blocks).replace(URL, server.url), "utf-8")
    command = [sys.executable, "-W", "error", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    for line in ("0.25", "synchronised: True waiting: 0", "True", "all is there", "refused: 1", "refused: 0"):
        assert line in lines
    assert f"server: {server.url} role: admin" in lines
    assert any(line.startswith("Stream 'door': 'ajar' is not one of") for line in lines)
    assert any(line.startswith("not now: A point of room: refused by the server, such as 21.8") for line in lines)
    assert any(re.fullmatch(r"waiting: \d True \['room', 'door'\]", line) for line in lines)
