"""The rough sessions in a cache, and what was exported of them."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import independent
import pandas as pd

from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session

RIG = ("pressure", "vibration", "flow", "valve")


@dataclass(frozen=True, eq=False)
class Numbers:
    """A cache with sessions, and their exports, read by pandas."""

    path: Path
    cache: DatabaseClient
    folder: Path
    _frames: dict[tuple[int, bool], pd.DataFrame] = field(default_factory=dict)

    def column(self, label: str, session_id: int = 1) -> pd.Series:
        """Return all readings of one channel, those without a value too."""
        is_rig = label in RIG
        if (session_id, is_rig) not in self._frames:
            path = self.folder / f"{session_id}-{is_rig}.parquet"
            export_session(self.cache, session_id, path, channels=RIG if is_rig else ["weight"])
            self._frames[session_id, is_rig] = independent.read(path)
        return self._frames[session_id, is_rig][label]

    @cached_property
    def everything(self) -> pd.DataFrame:
        """Session 1, a row a message."""
        return independent.read(export_session(self.cache, 1, self.folder / "all.parquet"))
