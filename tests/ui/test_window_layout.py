"""What the window remembers of its layout from one start to the next."""

from collections.abc import Callable
from typing import Any

from blitz.ui.main_window import MainWindow
from blitz.ui.preferences import Preferences


def test_columns_the_side_panel_and_the_tab_come_back(
    show_window: Callable[..., MainWindow], feed: Any, preferences: Preferences
) -> None:
    window = show_window(feed)
    window.resize(1300, 820)
    window.live_page.splitter.setSizes([700, 500])
    sizes = window.live_page.splitter.sizes()
    window.boards_page.table.setColumnWidth(1, 222)
    window.tabs.setCurrentWidget(window.sessions_page)
    window.close()

    again = show_window(type(feed)())
    assert again.tabs.currentWidget() is again.sessions_page
    assert again.boards_page.table.columnWidth(1) == 222
    assert again.size() == window.size()
    again.tabs.setCurrentWidget(again.live_page)
    assert again.live_page.splitter.sizes() == sizes


def test_a_tab_that_is_not_there_any_more_is_not_missed(
    show_window: Callable[..., MainWindow], feed: Any, preferences: Preferences
) -> None:
    window = show_window(feed)
    window.show_trash()
    assert window.tabs.tabText(window.tabs.currentIndex()) == "Trash"
    window.close()
    again = show_window(type(feed)())
    assert again.tabs.currentWidget() is again.live_page
