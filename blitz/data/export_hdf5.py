"""HDF5 files, wide and long."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from blitz.data.export_about import (
    GAP_FIELDS,
    MARKER_FIELDS,
    about_session,
    column_facts,
    gap_rows,
    marker_rows,
    unique_names,
)
from blitz.data.export_csv import long_rows
from blitz.data.export_file import file_sha256
from blitz.data.export_parts import Column, Contents, Part
from blitz.data.optional_packages import optional_package
from blitz.data.patient_file import PatientFile

_CHUNK_ROWS = 16_384


class Hdf5File:
    """An HDF5 file with a group ``readings``, and the tables ``markers`` and ``gaps``.

    Wide: ``readings`` has ``time_ns`` (int64, nanoseconds since the Unix epoch, UTC) and a float64 dataset a channel,
    with the attributes ``label``, ``unit``, ``source`` and ``channel``. Long: ``time_ns``, ``value`` and ``series``, a
    row of the table ``series``. What is absent is NaN. The dataset ``blitz`` is what is known of the session, as
    JSON; the file's attributes are ``session_id``, ``name``, ``notes``, ``started_at``, ``tags`` and ``fields``.
    """

    def __init__(self, path: Path, contents: Contents, layout: str) -> None:
        self._path = path
        self._is_long = layout == "long"
        h5py = optional_package("h5py", "An HDF5 file", "blitz[export]")
        self._text = h5py.string_dtype("utf-8")
        self._rows = 0
        self._disk = PatientFile(path)
        self._file = h5py.File(self._disk, "w", libver=("earliest", "v110"))
        try:
            self._datasets = self._begin(contents)
            self._disk.check()
        except BaseException:
            self.abandon()
            raise

    @property
    def sha256(self) -> str:
        """Of the file, when it is closed."""
        return file_sha256(self._path)

    def prepare(self, part: Part) -> list[Any]:
        """Return a part's columns, in the order of the datasets; in any thread."""
        if not self._is_long:
            return [part.time_ns, *part.values]
        row, column, value = long_rows(part)
        return [part.time_ns[row], column.astype(np.uint32), value]

    def write(self, columns: Sequence[Any]) -> None:
        """Add rows."""
        stop = self._rows + len(columns[0])
        if stop == self._rows:
            return
        for dataset, column in zip(self._datasets, columns, strict=True):
            dataset.resize((stop,))
            dataset[self._rows : stop] = column
        self._rows = stop
        self._disk.check()

    def close(self) -> None:
        """Close the file."""
        self.abandon()
        self._disk.check()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()
        self._disk.close()

    def _begin(self, contents: Contents) -> list[Any]:
        record = contents.record
        about = {"session_id": record.id, "name": record.name, "notes": record.notes}
        about |= {"started_at": record.started_at.isoformat(), "tags": json.dumps(record.tags, ensure_ascii=False)}
        about |= {"fields": json.dumps(record.fields, ensure_ascii=False)}
        self._file.attrs.update(about)
        # Attributes are limited to 64 KB: what may be longer lies in a dataset.
        self._file.create_dataset(
            "blitz", data=json.dumps(about_session(contents), ensure_ascii=False), dtype=self._text
        )
        self._table("markers", MARKER_FIELDS, marker_rows(contents))
        self._table("gaps", GAP_FIELDS, gap_rows(contents))
        readings = self._file.create_group("readings")
        time = self._column(readings, "time_ns", np.int64)
        time.attrs["unit"] = "ns since 1970-01-01T00:00:00Z"
        if self._is_long:
            self._table(
                "series", ("source", "channel", "unit"), [[c.source, c.channel, c.unit] for c in contents.columns]
            )
            return [time, self._column(readings, "series", np.uint32), self._column(readings, "value", np.float64)]
        # A slash in a name would make a group.
        names = unique_names([column.label.replace("/", "∕") for column in contents.columns], ["time_ns", "."])
        return [time, *(self._channel(readings, *pair) for pair in zip(names, contents.columns, strict=True))]

    def _channel(self, group: Any, name: str, column: Column) -> Any:
        dataset = self._column(group, name, np.float64)
        dataset.attrs.update(column_facts(column))
        return dataset

    def _column(self, group: Any, name: str, dtype: Any) -> Any:
        return group.create_dataset(
            name,
            (0,),
            dtype,
            maxshape=(None,),
            chunks=(_CHUNK_ROWS,),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )

    def _table(self, name: str, fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a table of a few rows, a compound dataset; a time that is absent is 0, a count -1."""
        dtype = np.dtype([(field, _FIELDS.get(field, self._text)) for field in fields])
        absent = {"to_ns": 0, "lost": -1}
        table = [
            tuple(absent.get(field, "") if cell is None else cell for field, cell in zip(fields, row, strict=True))
            for row in rows
        ]
        self._file.create_dataset(name, data=np.array(table, dtype))


_FIELDS: dict[str, Any] = dict.fromkeys(("id", "from_ns", "to_ns", "lost", "recovered"), np.int64) | {"is_exact": bool}
