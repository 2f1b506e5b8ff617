"""The pattern by which an answer of a device is known: a regular expression, given by whoever may send commands.

Python's own engine can take for ever over a few characters, and no thread of the server runs meanwhile; RE2's time and
memory are bounded. It knows neither back references nor lookaround. Pure.
"""

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20


class AnswerPattern:
    """A pattern, ready to be searched for.

    >>> AnswerPattern("^OK|ERR [0-9]+$").fits("ERR 7"), AnswerPattern("^OK").fits("not OK")
    (True, False)

    :raises ValueError: if it is no regular expression, or one that cannot be searched for in bounded time.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        try:
            self._compiled = re2.compile(pattern, _OPTIONS)
        except UnicodeEncodeError as error:
            raise ValueError(str(error)) from None
        except re2.error as error:
            raise ValueError(error.args[0].decode(errors="replace")) from None

    def fits(self, line: str) -> bool:
        """Say whether the pattern is found anywhere in a line."""
        return self._compiled.search(line) is not None
