"""A value that an operator turns, such as a motor's set point: what is to be sent of it, and what is known. Pure.

It is sent when the operator has stopped turning; one at a time, never twice the same, never by itself.
"""

from dataclasses import dataclass


@dataclass
class SetPoint:
    """What became of one command's values, on one board, as far as this window knows.

    >>> point = SetPoint("deg")
    >>> point.turn(20); point.turn(25); point.rest(); point.rest()
    25
    >>> point.take(has_failed=False, is_answered=True); point.words
    'set 25 deg, acknowledged'
    """

    unit: str = ""
    is_switch: bool = False
    turned: float | None = None
    """Where the operator turned it to last."""
    sending: float | None = None
    """Sent, and not answered yet."""
    known: float | None = None
    """What the board has acknowledged last; where it acknowledges nothing, what was sent last."""
    is_answered: bool = True
    """Whether the board acknowledges."""
    trouble: str = ""
    """Why the last value was not acknowledged."""

    @property
    def has_news(self) -> bool:
        """Whether what was turned is not what the board has, or will have."""
        return self.turned is not None and self.turned != (self.known if self.sending is None else self.sending)

    def turn(self, value: float) -> None:
        """The operator turns it; nothing is sent yet."""
        self.turned = value

    def rest(self) -> float | None:
        """The operator has stopped: return what is to be sent now, if anything.

        While an answer is awaited nothing is sent; :meth:`take` is followed by this.
        """
        if not self.has_news or self.sending is not None:
            return None
        self.sending, self.trouble = self.turned, ""
        return self.sending

    def take(self, *, has_failed: bool, is_answered: bool, trouble: str = "") -> None:
        """The value that was sent is answered, or is not."""
        if self.sending is None:
            return
        if has_failed:
            self.trouble = trouble or "no answer"
            if self.turned == self.sending:
                self.turned = None  # until it is turned, or sent, again
        else:
            self.known, self.is_answered, self.trouble = self.sending, is_answered, ""
        self.sending = None

    def hear(self, value: float, *, is_answered: bool) -> None:
        """Somebody has sent a value, maybe at another window, and it was not refused."""
        if self.sending is None:
            self.known, self.is_answered, self.trouble = value, is_answered, ""

    def forget_wish(self) -> None:
        """The operator went away while turning, or the server did: what was not sent is not wanted any more."""
        self.turned = None
        if self.sending is not None:
            self.take(has_failed=True, is_answered=False, trouble="The connection was lost before the answer came.")

    @property
    def words(self) -> str:
        """What stands beside it."""
        if self.sending is not None:
            return f"sending {self._text(self.sending)} …"
        if self.has_news and not self.trouble:
            return f"turned to {self._text(self.turned)}, not sent yet"
        if self.trouble:
            return f"not acknowledged: still {self._text(self.known)}" if self.known is not None else "not acknowledged"
        if self.known is None:
            return "not known: not set from here yet"
        if not self.is_answered:
            return f"set {self._text(self.known)}; the board does not acknowledge"
        return f"set {self._text(self.known)}, acknowledged"

    def _text(self, value: float | None) -> str:
        if value is None:
            return "not known"
        return ("on" if value else "off") if self.is_switch else f"{value:.10g} {self.unit}".strip()
