"""No input can reach a shell, `pickle` or the interpreter: nothing in the program calls them."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
FILES = sorted((FOLDER / "blitz").rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "yaml", "joblib", "pty", "commands", "imp"}
BUILTINS = {"eval", "exec", "compile", "__import__", "execfile"}
METHODS = {"system", "popen", "getoutput", "getstatusoutput"}
ALLOWED = {("blitz/io/pty_port.py", "pty"), ("blitz/ui/session_actions.py", "system")}
"""A pseudo-terminal's two ends, nothing being spawned; the locale of the system."""


def faults(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [name for name in names if name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in METHODS:
                found.append(called.attr)
            elif isinstance(called, ast.Name) and called.id in BUILTINS | METHODS:
                found.append(called.id)
            for keyword in node.keywords:
                is_false = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg in ("shell", "allow_pickle") and not is_false:
                    found.append(keyword.arg)
    return found


def test_the_search_finds_what_it_looks_for() -> None:
    bad = "import pickle\nos.system(x)\nsubprocess.run(x, shell=y)\neval(x)\nnp.load(x, allow_pickle=True)"
    assert sorted(faults(ast.parse(bad))) == ["allow_pickle", "eval", "pickle", "shell", "system"]
    assert faults(ast.parse("re.compile(x)\nsubprocess.run(x, shell=False)")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_calls_a_shell_pickle_or_the_interpreter(path: Path) -> None:
    name = path.relative_to(FOLDER).as_posix()
    found = [fault for fault in faults(ast.parse(path.read_text("utf-8"))) if (name, fault) not in ALLOWED]
    assert not found
