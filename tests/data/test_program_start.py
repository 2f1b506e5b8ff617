"""How often programs look for garbage: in a process of their own, for it holds for all of one."""

import subprocess
import sys

PROGRAM = """
import gc
from blitz.data.program_start import is_started, start_quickly

usual = gc.get_threshold()
start_quickly()
assert gc.isenabled() and gc.get_threshold()[0] > usual[0]
class Cycle:
    def __init__(self): self.own = self
    def __del__(self): print("gone", flush=True)
is_started()
assert gc.get_threshold() == usual and gc.get_freeze_count() > 1000
for _ in range(usual[0] + 1): Cycle()
"""


def test_garbage_is_looked_for_as_usual_once_a_program_has_started() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "gone" in ended.stdout
