"""What a page shows of a program's output, compared with what it wrote.

`…` within a line stands for any text, a line that is nothing else for any lines. How many spaces stand between two
words, and empty lines, do not count: columns are as wide as what stands in them.
"""

import re


def is_as_shown(shown: str, written: str, *, is_whole: bool = True) -> bool:
    """Compare.

    :param is_whole: whether it must end with what is shown; else more may follow.

    >>> is_as_shown("session … started\\n…\\ndone", "session 12 started\\n1\\n2\\ndone\\n")
    True
    >>> is_as_shown("session … started", "session 12 started\\nmore\\n")
    False
    """
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in _lines(shown)
    )
    text = "".join(line + "\n" for line in _lines(written))
    return (re.fullmatch if is_whole else re.match)(pattern, text) is not None


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]
