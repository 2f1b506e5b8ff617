"""Rows of source tables: which definition of a device is in force shows in its newest row."""

from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import load_definitions
from blitz.data.source_config import SourceConfig
from blitz.io.source_rows import MOST_ROWS, SourceRows

BASIC = load_definitions()["08"]


def renamed(name: str) -> BoardDefinition:
    return BASIC.model_copy(update={"name": name})


def test_a_definition_that_comes_back_gets_a_new_row_and_one_that_stays_keeps_its_own() -> None:
    rows, config = SourceRows(), SourceConfig(name="scale", link="/dev/ttyUSB0")
    found = [rows.find(config, "/dev/ttyUSB0", "08", renamed(name)).index for name in ("a", "a", "b", "b", "a", "a")]
    assert found == [0, 0, 1, 1, 2, 2]


def test_another_board_at_the_port_leaves_the_rows_of_the_first_one_alone() -> None:
    rows, config = SourceRows(), SourceConfig(name="scale", link="/dev/ttyUSB0")
    found = [rows.find(config, "/dev/ttyUSB0", board, BASIC) for board in ("08", "09", "08", "09")]
    assert [row.index for row in found] == [0, 1, 0, 1]
    assert [row.name for row in found[:2]] == ["scale", "scale (board 09)"]


def test_rows_stay_bounded_where_the_meaning_changes_all_the_time() -> None:
    rows, config = SourceRows(), SourceConfig(name="scale", link="/dev/ttyUSB0")
    found = [rows.find(config, "/dev/ttyUSB0", "08", renamed("ab"[n % 2])).index for n in range(5 * MOST_ROWS)]
    assert max(found) == MOST_ROWS - 1
