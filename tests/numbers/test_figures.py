"""Every number that the program tells of a session, where it stands, and what computes it once more.

A new statistic, transform, kind of rule or tab of the analysis fails here until it has its row, and its test.
"""

import ast
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple, get_args

from blitz.data.alarm_condition import Condition
from blitz.data.aligning import How
from blitz.data.calibration_draft import CURVES
from blitz.data.calibration_fit import CurveFit
from blitz.data.range_statistics import RangeStatistics
from blitz.data.session_differences import DifferenceNumbers
from blitz.data.session_moments import Moment
from blitz.data.spans import Spans
from blitz.data.transforms import TRANSFORMS
from blitz.data.triggers import Edge
from blitz.ui.widgets.analysis_tabs import AnalysisTab
from blitz.ui.widgets.statistics_tab import StatisticsTab
from blitz.ui.widgets.trigger_tab import TriggerTab


class Figure(NamedTuple):
    """Some numbers."""

    names: str
    shown: str
    independent: str
    tests: str


FIGURES = (
    Figure(
        "count nan_count mean standard_deviation minimum maximum median rms first last rate_hz minimum_ns maximum_ns"
        " first_ns last_ns",
        "tab Statistics, reports, `statistics()`, `session_statistics`, SQL",
        "pandas",
        "test_statistics_of_a_stretch test_statistics_in_the_library test_statistics_in_a_report test_queries",
    ),
    Figure("slope", "as above", "scipy.stats.linregress", "test_statistics_of_a_stretch test_statistics_in_a_report"),
    Figure("integral", "as above", "scipy.integrate, gaps left out", "test_statistics_of_a_stretch"),
    Figure("Spectrum", "tab Spectrum: FFT, Welch", "scipy.signal; drawn waves", "test_amplitudes_and_density"),
    Figure("Peaks", "tab Spectrum", "Lomb and Scargle on uneven times", "test_peaks_of_uneven_readings"),
    Figure("Histogram", "tab Histogram", "numpy", "test_histograms"),
    Figure("XY", "tab XY", "pandas' interpolation by index", "test_one_channel_against_another"),
    Figure("Trigger rising falling", f"tab {TriggerTab.title}, live triggers", "value by value", "test_triggers"),
    Figure(
        " ".join(f"transform.{kind}" for kind in TRANSFORMS),
        "computed channels, library",
        "numpy, pandas, scipy",
        "test_transforms",
    ),
    Figure("formula", "computed channels", "numpy", "test_computed_channels"),
    Figure(
        "nearest previous linear", "`aligned`, exports by step", "pandas' merge_asof", "test_channels_at_common_times"
    ),
    Figure("step", "an export with a row a second", "pandas' merge_asof", "test_a_row_a_second"),
    Figure("extremes", "plots, `max_points`", "pandas' groupby", "test_overviews_keep_the_extremes_of_each_column"),
    Figure(
        "spans.count spans.mean spans.minimum spans.maximum",
        "`aggregated`, `overview`, HTTP",
        "pandas' groupby",
        "test_statistics_spans_and_pictures_of_the_server",
    ),
    Figure("level band equal reference", "alarms, `blitz alarm test`", "reading by reading", "test_rules_about_values"),
    Figure("rate", "as above", "reading by reading", "test_rules_about_rates"),
    Figure("no_data", "as above", "arrival by arrival", "test_rules_about_silence"),
    Figure(
        "alarms", "live, over a server's death", "as above", "test_alarms_were_raised_and_cleared_when_the_readings_say"
    ),
    Figure(
        "differences.count differences.missing differences.mean differences.rms differences.largest"
        " differences.largest_ns differences.outside AtStart AtMarker AtTrigger",
        "page Comparison",
        "pandas' interpolation by index",
        "test_differences",
    ),
    Figure("left", "the reference under the live plot", "numpy", "test_a_reference_is_left"),
    Figure("course", "its alarm", "the band", "test_an_alarm_made_of_a_reference_says_what_the_band_says"),
    Figure(
        "fit.fields fit.points fit.standard_error fit.r_squared " + " ".join(f"curve.{each}" for each in CURVES),
        "calibration",
        "numpy.polyfit",
        "test_calibrations",
    ),
    Figure(
        "messages lost restarts",
        "account, report",
        "the device's own numbers",
        "test_the_account_is_what_the_numbers_say",
    ),
    Figure("readings", "everywhere", "what the device measured", "test_readings_are_what_the_devices_measured"),
)
NO_NUMBERS = {"label", "unit", "source", "degree", "condition", "doubts", "time_ns"}


def told() -> set[str]:
    """Return the names of all figures, by what the program itself has."""
    names = (
        {each.name for each in fields(RangeStatistics)}
        | {f"transform.{kind}" for kind in TRANSFORMS}
        | set(get_args(How))
    )
    names |= {get_args(each.model_fields["kind"].annotation)[0] for each in get_args(get_args(Condition)[0])}
    names |= {f"differences.{name}" for name in DifferenceNumbers.__dataclass_fields__}
    names |= {f"spans.{each.name}" for each in fields(Spans) if each.name not in NO_NUMBERS}
    names |= {f"fit.{each.name}" for each in fields(CurveFit) if each.name not in NO_NUMBERS}
    names |= {f"curve.{each}" for each in CURVES} | {edge.value for edge in Edge}
    names |= {each.__name__ for each in get_args(Moment)}
    return (names | {tab.title for tab in _tabs(AnalysisTab)}) - NO_NUMBERS


def _tabs(kind: type[AnalysisTab]) -> set[type[AnalysisTab]]:
    """Return the tabs that show something besides the statistics, which have names of their own."""
    found = {tab for each in kind.__subclasses__() for tab in {each, *_tabs(each)}}
    return {tab for tab in found if tab.title and tab is not StatisticsTab}


def test_every_figure_has_its_row() -> None:
    assert told() - {name for figure in FIGURES for name in figure.names.split()} == set()


def test_every_row_has_its_tests() -> None:
    known: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {test for figure in FIGURES for test in figure.tests.split()} <= known
