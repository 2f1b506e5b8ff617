"""Tables: columns that share the room there is."""

from typing import Any

import pytest

from blitz.ui.models.text_rows import TextRows
from blitz.ui.widgets.table import Table


@pytest.fixture
def table(qtbot: Any) -> Table:
    """A table whose last two of three columns share what there is of room."""
    table = Table(TextRows(("Name", "What", "Seen"), (), {}), "nothing")
    qtbot.addWidget(table)
    table.set_widths(100, 200, 100)
    table.share_room(1, 2)
    table.resize(702, 300)
    table.show()
    qtbot.waitExposed(table)
    return table


def widths(table: Table) -> list[int]:
    return [table.columnWidth(column) for column in range(3)]


def test_columns_share_the_room_by_their_widths(table: Table) -> None:
    assert sum(widths(table)) == table.viewport().width()
    assert widths(table)[0] == 100
    assert widths(table)[1] == pytest.approx(2 * widths(table)[2], abs=2)
    table.resize(352, 300)
    assert sum(widths(table)) == table.viewport().width()
    table.setColumnHidden(2, True)
    assert widths(table)[1] == table.viewport().width() - 100


def test_a_column_that_somebody_has_dragged_stays_so(table: Table) -> None:
    table.horizontalHeader().resizeSection(1, 90)
    table.resize(900, 300)
    assert widths(table)[1] == 90
