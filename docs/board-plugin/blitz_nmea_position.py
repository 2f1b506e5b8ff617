"""A Blitz plug-in that reads what no definition can describe: degrees and minutes in one number, ``4807.038,N``."""

import numpy as np

from blitz.data.board_definition import BoardDefinition
from blitz.data.layout import Decoded, Rows

QUANTITIES = ("latitude", "longitude", "altitude", "satellites")


class NmeaPosition:
    """Positions of a GPS receiver: its GGA sentences; channels latitude, longitude, altitude, satellites.

    Option ``talker``: the first two letters of the sentences, GP when absent.
    """

    def __init__(self, definition: BoardDefinition) -> None:
        self._names = [channel.name for channel in definition.channels]
        unknown = sorted(set(self._names) - set(QUANTITIES))
        if unknown:
            raise ValueError(f"no channel {unknown[0]!r}; there are {', '.join(QUANTITIES)}")
        self._start = f"{definition.options.get('talker', 'GP')}GGA,".encode()

    def decode(self, rows: Rows) -> Decoded:
        """Return a row of numbers a sentence, NaN in those that are no positions; and the time of day, in seconds."""
        numbers = np.full((len(rows), len(self._names)), np.nan)
        time_of_day_s = np.full(len(rows), np.nan)
        for row, message in enumerate(rows.messages()):
            sentence = message.lstrip(b"$").partition(b"*")[0]
            if not sentence.startswith(self._start):
                continue
            try:
                time_of_day_s[row], position = read_gga(sentence.decode("ascii").split(","))
            except (ValueError, IndexError):  # no fix yet, or a damaged sentence
                continue
            numbers[row] = [position[name] for name in self._names]
        return Decoded(numbers, time_of_day_s)


def read_gga(fields: list[str]) -> tuple[float, dict[str, float]]:
    """Read the fields of a GGA sentence: the time of day in seconds, and quantities by name."""
    clock, latitude, north, longitude, east, _, satellites, _, altitude = fields[1:10]
    time_of_day_s = 3600 * int(clock[:2]) + 60 * int(clock[2:4]) + float(clock[4:])
    position = {
        "latitude": degrees(latitude, digits=2, is_negative=north == "S"),
        "longitude": degrees(longitude, digits=3, is_negative=east == "W"),
        "altitude": float(altitude),
        "satellites": float(satellites),
    }
    return time_of_day_s, position


def degrees(field: str, *, digits: int, is_negative: bool) -> float:
    """Turn ``4807.038`` into 48 degrees and 7.038 minutes: 48.1173."""
    value = int(field[:digits]) + float(field[digits:]) / 60
    return -value if is_negative else value
