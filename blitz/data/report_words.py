"""How a report writes numbers, times and lengths of time. Pure."""

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo

from blitz.data.board_definition import Channel

MISSING = "–"
"""What stands where there is no value."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_POINTS = 8
"""Of a calibration table, in words."""
_NOT_IN_HTML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_TURNS_TEXT = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def moment_of(time_ns: int, zone: tzinfo | None) -> datetime:
    """Return a time, to the microsecond, in a zone; None is that of this computer."""
    return (_EPOCH + timedelta(microseconds=time_ns // 1000)).astimezone(zone)


def moment_words(time_ns: int, zone: tzinfo | None) -> str:
    """Write a time to the millisecond.

    >>> moment_words(1_700_000_000_250_000_000, UTC)
    '2023-11-14 22:13:20.250'
    """
    return moment_of(time_ns + 500_000, zone).isoformat(" ", "milliseconds")[:23]


def zone_words(time_ns: int, zone: tzinfo | None) -> str:
    """Say which zone times are in, and how far that was from UTC at a time.

    >>> zone_words(0, UTC)
    'UTC'
    """
    moment = moment_of(time_ns, zone)
    offset = moment.isoformat()[-6:]
    name = moment.tzname() or ""
    if offset == "+00:00" and name in ("UTC", ""):
        return "UTC"
    return f"{name} (UTC{offset.replace('-', '−')})" if name[:1].isalpha() else f"UTC{offset.replace('-', '−')}"


def since_words(elapsed_ns: int) -> str:
    """Write how long after the start something was, to the millisecond.

    >>> since_words(3_725_500_000_000), since_words(-1_500_000_000)
    ('1:02:05.500', '−0:00:01.500')
    """
    whole_ms = (abs(elapsed_ns) + 500_000) // 1_000_000
    minutes, ms = divmod(whole_ms, 60_000)
    sign = "−" if elapsed_ns < 0 and whole_ms else ""
    return f"{sign}{minutes // 60}:{minutes % 60:02}:{ms // 1000:02}.{ms % 1000:03}"


def duration_words(seconds: float) -> str:
    """Write a length of time, short ones to the millisecond.

    >>> duration_words(0.25), duration_words(75.5), duration_words(90000)
    ('0.250 s', '75.5 s', '25:00:00')
    """
    if seconds < 10:
        return f"{seconds:.3f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def count_words(count: int) -> str:
    """Write a count with thin spaces between thousands.

    >>> count_words(1234567).split()
    ['1', '234', '567']
    """
    return f"{count:,}".replace(",", "\u202f")


def many(count: int, one: str, more: str | None = None) -> str:
    """Write how many there are of something.

    >>> many(1, "gap"), many(0, "gap"), many(2, "loss", "losses")
    ('1 gap', '0 gaps', '2 losses')
    """
    return f"{count_words(count)} {one if count == 1 else more or one + 's'}"


def number_words(value: float, digits: int = 6) -> str:
    """Write a number to so many digits, as people read it.

    >>> number_words(-0.5), number_words(1 / 3), number_words(2.5e-9), number_words(float("nan"))
    ('−0.5', '0.333333', '2.5·10⁻⁹', '–')
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text, _, exponent = f"{value:.{digits}g}".partition("e")
    text = text.replace("-", "−")
    if exponent:
        power = int(exponent)
        text += f"·10{'⁻' if power < 0 else ''}{str(abs(power)).translate(_SUPERSCRIPT)}"
    return text


def clean_text(text: str) -> str:
    """Return a text without what no page may have in it, and without marks that turn how its surroundings are read.

    >>> clean_text("a\\x00b") == "a\\ufffdb"
    True
    """
    return _TURNS_TEXT.sub("\ufffd", _NOT_IN_HTML.sub("\ufffd", text))


def edit_words(name: str, before: str, after: str) -> str:
    """Say what became of a word of a session; a text that was empty is not quoted.

    >>> edit_words("name", "test", "Pump"), edit_words("notes", "", "new seal"), edit_words("tags", "rig 2", "")
    ('name: “test” became “Pump”', 'notes: “new seal” was written', 'tags: “rig 2” was removed')
    """
    if not before:
        return f"{name}: “{after}” was written"
    return f"{name}: “{before}” became “{after}”" if after else f"{name}: “{before}” was removed"


def elided(text: str, most: int) -> str:
    """Return a text of at most so many characters, its middle left out.

    >>> elided("temperature of the oil", 11)
    'tempe…e oil'
    """
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[-((most - 1) // 2) :]}"


def calibration_words(channel: Channel) -> str:
    """Say how a channel's value is made of the number n that its device sends.

    >>> calibration_words(Channel(name="flow", zero=4, scale=0.5)), calibration_words(Channel(name="count"))
    ('(n − 4) · 0.5', 'as sent')
    >>> calibration_words(Channel(name="p", polynomial=(1, 0, -2.5))), calibration_words(Channel(name="x", divisor=10))
    ('1 − 2.5·n²', 'n / 10')
    >>> calibration_words(Channel(name="flow", table=((0, 0), (100, 5))))
    'through 2 points: 0 → 0, 100 → 5'
    """
    if channel.table:
        pairs = [f"{_exact(at)} → {_exact(value)}" for at, value in channel.table[:_MOST_POINTS]]
        more = [f"… and {len(channel.table) - _MOST_POINTS} more"] if len(channel.table) > _MOST_POINTS else []
        return f"through {len(channel.table)} points: {', '.join([*pairs, *more])}"
    if channel.polynomial:
        return _polynomial(channel.polynomial)
    words = "n"
    if channel.zero:
        words = f"n {'−' if channel.zero > 0 else '+'} {_exact(abs(channel.zero))}"
        if channel.scale != 1 or channel.divisor != 1:
            words = f"({words})"
    if channel.scale != 1:
        words += f" · {_exact(channel.scale)}"
    if channel.divisor != 1:
        words += f" / {_exact(channel.divisor)}"
    return "as sent" if words == "n" else words


def range_words(low: float | None, high: float | None) -> str:
    """Write a range that may be open; empty where it is open at both ends.

    >>> range_words(0, None), range_words(-1, 1), range_words(None, None)
    ('from 0', '−1 to 1', '')
    """
    if low is None:
        return "" if high is None else f"up to {_exact(high)}"
    return f"from {_exact(low)}" if high is None else f"{_exact(low)} to {_exact(high)}"


def _polynomial(coefficients: tuple[float, ...]) -> str:
    words = ""
    for power, coefficient in enumerate(coefficients):
        if coefficient == 0 and len(coefficients) > 1:
            continue
        size = _exact(abs(coefficient))
        what = size if power == 0 else f"{size}·n{str(power).translate(_SUPERSCRIPT) if power > 1 else ''}"
        if not words:
            words = f"{'−' if coefficient < 0 else ''}{what}"
        else:
            words += f" {'−' if coefficient < 0 else '+'} {what}"
    return words or "0"


def _exact(value: float) -> str:
    """Write a number so that it reads as exactly the same one."""
    return f"{value:.17g}".replace("-", "−") if float(f"{value:.15g}") != value else f"{value:.15g}".replace("-", "−")
