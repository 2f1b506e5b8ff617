"""The examples of docs/streams.md, run in their order, against a real server."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "streams.md"
URL = "http://127.0.0.1:8999"


def test_the_examples_do_what_the_page_says(run_server: Callable[..., Any], tmp_path: Path) -> None:
    server = run_server("--durability", "none")
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    script = tmp_path / "script.py"
    script.write_text("\n".join(blocks).replace(URL, server.url), "utf-8")
    done = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for line in ("points: 1", "newest: 21.5", "True", "light on", "acknowledged "):
        assert line in done.stdout.splitlines()
