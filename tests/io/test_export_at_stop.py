"""What a program that looks again and again exports."""

import asyncio
import shutil
from pathlib import Path

import pytest

from blitz.data.database_client import DatabaseClient
from blitz.data.export_at_stop import ExportsAtStop
from blitz.data.export_rule import ExportRule
from blitz.data.session_file import pack_session, unpack_session
from blitz.errors import ServerUnreachable
from blitz.io.export_at_stop import export_stopped

CACHES = Path(__file__).parents[2] / "fixtures" / "caches"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Session 7 in a file, as the server would send it."""
    with DatabaseClient(path=shutil.copy(CACHES / "v0.3.0.db", tmp_path / "other.db")) as cache:
        return pack_session(cache, 7, tmp_path / "run.blitz")


def test_a_session_that_has_stopped_is_brought_and_exported(packed: Path, tmp_path: Path) -> None:
    rule = ExportRule(tmp_path / "out", "run")
    with DatabaseClient() as here, DatabaseClient() as elsewhere:
        record = unpack_session(elsewhere, packed).record
        here.update_session_records([record])

        async def refuse(session_id: int) -> None:
            raise ServerUnreachable("gone for lunch")

        async def bring(session_id: int) -> None:
            unpack_session(here, packed)

        running = record.model_copy(update={"is_running": True, "stopped_at": None})
        assert asyncio.run(export_stopped(here, rule, [running], refuse)) == []
        assert asyncio.run(export_stopped(here, rule, [record], refuse)) == []
        assert not (tmp_path / "out").exists()
        ExportsAtStop(here, rule).retry(7)
        (outcome,) = asyncio.run(export_stopped(here, rule, [record], bring))
        assert outcome.path == tmp_path / "out" / "run.csv"
        assert asyncio.run(export_stopped(here, rule, [record], refuse)) == []
