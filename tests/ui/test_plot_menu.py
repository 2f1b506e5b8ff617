"""The menu of the plot, around a feed without a server."""

from blitz.ui.main_window import MainWindow


def test_time_from_the_start_is_turned_off_again_before_the_first_reading(window: MainWindow) -> None:
    for is_on in (True, False):
        window.menus["relative"].trigger()
        assert window.live_page.bar.relative.isChecked() is is_on
        assert window.preferences.is_plot_relative is is_on
