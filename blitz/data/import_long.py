"""Long tables: which channels the words of their rows name. Pure."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from blitz.data.import_table import TableChannel
from blitz.errors import ImportFileError

MOST_CHANNELS = 4096

_BETWEEN = "\x1f"


class Words:
    """Channels by the words of source, channel and unit that rows of a long table have.

    :param source: what rows without a source are of.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._known: dict[str, None] = {}

    @property
    def channels(self) -> tuple[TableChannel, ...]:
        """The channels in the order of their first rows."""
        return tuple(TableChannel(*words.split(_BETWEEN)) for words in self._known)

    def learn(self, source: Any, channel: Any, unit: Any) -> None:
        """Take in the words of some rows: Arrow arrays of text, of which source and unit may be missing.

        :raises ImportFileError: if these are too many to be channels.
        """
        self._known |= dict.fromkeys(pc.unique(self._joined(source, channel, unit)).to_pylist())
        if len(self._known) > MOST_CHANNELS:
            raise ImportFileError(f"it names more than {MOST_CHANNELS} channels; is another column the channel?")

    def codes(self, source: Any, channel: Any, unit: Any) -> NDArray[np.int32]:
        """Return the place in :attr:`channels` of each row's channel, int32, shape (n,)."""
        places = pc.index_in(self._joined(source, channel, unit), value_set=pa.array(list(self._known), pa.string()))
        if places.null_count:
            raise ImportFileError("it was changed while it was read")
        codes: NDArray[np.int32] = places.to_numpy()
        return codes

    def _joined(self, source: Any, channel: Any, unit: Any) -> Any:
        texts = [text if text is None else pc.fill_null(text.cast(pa.string()), "") for text in (source, channel, unit)]
        present = next(text for text in texts if text is not None)
        empty = pa.repeat(pa.scalar("", pa.string()), len(present))
        source, channel, unit = (empty if text is None else text for text in texts)
        source = pc.if_else(pc.equal(source, ""), self._source, source)
        channel = pc.if_else(pc.equal(channel, ""), "value", channel)
        return pc.binary_join_element_wise(source, channel, unit, _BETWEEN)
