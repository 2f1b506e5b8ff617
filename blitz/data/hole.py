"""A place where messages are missing."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Hole:
    """Messages that never came.

    :param seq: the first message behind the hole.
    :param from_ns: time of the last message before it.
    :param to_ns: time of the first message behind it.
    :param lost: how many are missing.
    :param by: what shows it; after a restart nothing does, and ``lost`` is what is usual in that time.
    """

    seq: int
    from_ns: int
    to_ns: int
    lost: int
    by: Literal["numbers", "clock", "arrival", "restart"]
