"""The spools of one data folder: one for each store, so that what belongs to one never gets into another.

The address of Redis is a setting, and a Redis can be emptied: then sessions of the same numbers are others.
"""

import re
from pathlib import Path


class Spools:
    """A folder of spools.

    >>> Spools(Path("spool")).of_store("2f0e2a6c-6f0d-4a53-8ed1-57ad1e3f1d1c").name
    '2f0e2a6c-6f0d-4a53-8ed1-57ad1e3f1d1c'
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of_store(self, store_id: str) -> Path:
        """Return the folder of a store's spool.

        :param store_id: as Redis tells it; where others can write to it, it is anything.
        """
        return self._folder / re.sub(r"[^0-9A-Za-z-]", "_", store_id)

    def of_others(self, store_id: str) -> list[str]:
        """Return a sentence for each spool of another store that holds anything. It is left as it is."""
        ours = self.of_store(store_id)
        sentences = []
        for folder in sorted({path.parent for path in self._folder.glob("*/*.spool")} - {ours}):
            size = sum(path.stat().st_size for path in folder.glob("*.spool"))
            sentences.append(
                f"{folder} holds {size} bytes of messages for another Redis, which never got them. They are kept "
                "there: start the server with that Redis again, and they go into it."
            )
        return sentences
