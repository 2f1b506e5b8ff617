"""Text that a spreadsheet would take for a formula, made harmless. Pure."""

_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""https://owasp.org/www-community/attacks/CSV_Injection"""


def defused(text: str) -> str:
    """Return a text with an apostrophe before it where a spreadsheet would calculate it instead of showing it.

    >>> defused("=HYPERLINK(A1)"), defused("flow [l/min]")
    ("'=HYPERLINK(A1)", 'flow [l/min]')
    """
    return f"'{text}" if text.startswith(_STARTS) else text


def as_it_is(text: str) -> str:
    """Return a text unchanged: for those who read the file with a program."""
    return text
