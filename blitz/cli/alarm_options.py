"""The options that make an alarm's rule, and the rule's fields that they stand for."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from blitz.cli.completing import complete_boards, complete_hooks

Above = Annotated[float | None, typer.Option("--above", metavar="VALUE", help="Alarm above it.")]
Below = Annotated[float | None, typer.Option("--below", metavar="VALUE", help="Alarm below it.")]
Outside = Annotated[
    tuple[float, float] | None, typer.Option("--outside", metavar="LOW HIGH", help="Alarm outside a band.")
]
Inside = Annotated[
    tuple[float, float] | None, typer.Option("--inside", metavar="LOW HIGH", help="Alarm inside a band.")
]
Rate = Annotated[
    float | None, typer.Option("--rate", metavar="VALUE", help="Alarm where it changes by more than that a second.")
]
OverS = Annotated[float, typer.Option("--over", metavar="SECONDS", help="Of --rate: measured over so long.")]
Equals = Annotated[float | None, typer.Option("--equals", metavar="VALUE", help="Alarm while it is that.")]
Differs = Annotated[float | None, typer.Option("--differs", metavar="VALUE", help="Alarm while it is not that.")]
Tolerance = Annotated[float, typer.Option("--tolerance", metavar="VALUE", help="Of --equals and --differs.")]
NoData = Annotated[
    float | None, typer.Option("--no-data", metavar="SECONDS", help="Alarm when nothing came for so long.")
]
Hysteresis = Annotated[
    float, typer.Option("--hysteresis", metavar="VALUE", help="How far it must come back to be over.")
]
OnDelay = Annotated[float | None, typer.Option("--for", metavar="SECONDS", help="It must last so long to be an alarm.")]
OffDelay = Annotated[
    float | None, typer.Option("--off-after", metavar="SECONDS", help="It must be back for so long to be over.")
]


class SeverityWord(StrEnum):
    """How much it matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


SeverityOption = Annotated[SeverityWord | None, typer.Option("--severity", help="How much it matters.")]
OnlyRecording = Annotated[
    bool | None, typer.Option("--only-recording/--always", help="Only while a session is recorded.")
]
Latched = Annotated[bool | None, typer.Option("--latched/--no-latch", help="In sight until somebody acknowledges it.")]
Advice = Annotated[str | None, typer.Option("--advice", metavar="TEXT", help="What is to be done.")]
HookNames = Annotated[
    list[str] | None,
    typer.Option(
        "--hook", metavar="NAME", help="Who is told, repeatable; else all hooks.", autocompletion=complete_hooks
    ),
]
MarkerText = Annotated[str | None, typer.Option("--marker", metavar="TEXT", help="Put a marker into the session.")]
StartName = Annotated[str | None, typer.Option("--start", metavar="NAME", help="Start a session of that name.")]
BeforeS = Annotated[
    float, typer.Option("--before", metavar="SECONDS", help="Of --start: so much of what came before is kept.")
]
Stop = Annotated[bool, typer.Option("--stop", help="Stop the session.")]
Send = Annotated[
    tuple[str, str] | None,
    typer.Option("--send", metavar="BOARD COMMAND", help="Send a command.", autocompletion=complete_boards),
]


def condition_of(
    above: float | None,
    below: float | None,
    outside: tuple[float, float] | None,
    inside: tuple[float, float] | None,
    rate: float | None,
    over_s: float,
    equals: float | None,
    differs: float | None,
    tolerance: float,
    no_data: float | None,
    hysteresis: float,
) -> dict[str, Any] | None:
    """Return the condition; None where no option says one.

    :raises BadParameter: if the options say two.
    """
    found: list[dict[str, Any]] = []
    if above is not None or below is not None:
        found.append({"kind": "level", "above": above, "below": below})
    for band, is_inside in ((outside, False), (inside, True)):
        if band is not None:
            found.append({"kind": "band", "low": band[0], "high": band[1], "is_inside": is_inside})
    if rate is not None:
        found.append({"kind": "rate", "above_per_s": rate, "window_s": over_s})
    for value, is_different in ((equals, False), (differs, True)):
        if value is not None:
            found.append({"kind": "equal", "value": value, "tolerance": tolerance, "is_different": is_different})
    if no_data is not None:
        found.append({"kind": "no_data", "after_s": no_data})
    if len(found) > 1:
        raise typer.BadParameter("a rule has one condition: add another rule for the other one")
    if found and hysteresis and no_data is None:
        found[0]["hysteresis"] = hysteresis
    return found[0] if found else None


def fields_of(
    severity: SeverityWord | None,
    on_delay_s: float | None,
    off_delay_s: float | None,
    only_recording: bool | None,
    latched: bool | None,
    advice: str | None,
    hooks: list[str] | None,
    marker: str | None,
    start: str | None,
    before_s: float,
    stop: bool,
    send: tuple[str, str] | None,
) -> dict[str, Any]:
    """Return the fields of a rule that options name, its condition left out."""
    fields: dict[str, Any] = {
        "severity": None if severity is None else severity.value,
        "on_delay_s": on_delay_s,
        "off_delay_s": off_delay_s,
        "only_recording": only_recording,
        "is_latched": latched,
        "advice": advice,
        "hooks": hooks or None,
    }
    actions: list[dict[str, Any]] = []
    if marker is not None:
        actions.append({"kind": "marker", "text": marker})
    if start is not None:
        actions.append({"kind": "start", "name": start, "before_s": before_s})
    if stop:
        actions.append({"kind": "stop"})
    if send is not None:
        actions.append({"kind": "command", "board": send[0], "command": send[1]})
    if actions:
        fields["actions"] = actions
    return {name: value for name, value in fields.items() if value is not None}
