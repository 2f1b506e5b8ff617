"""Commands about alarms: what there is, who has seen it, and the rules."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli import alarm_options as options
from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_alarm_rules, complete_alarms, complete_sources
from blitz.cli.options import (
    EPILOG,
    ConfigOption,
    JsonOption,
    Panel,
    ServerOption,
    SessionArgument,
    TokenOption,
    list_by_default,
)
from blitz.cli.output import Output, local_time, plural

if TYPE_CHECKING:
    from blitz.data.alarm_records import AlarmCrossing, AlarmOccurrence, KeptRule
    from blitz.io.connection import AsyncClient

alarm = typer.Typer(name="alarm", help="List and acknowledge alarms; add, change and try their rules.")

RuleArgument = Annotated[
    str,
    typer.Argument(
        metavar="RULE",
        help="The rule's name, or its id as 'blitz alarm rules' lists it.",
        show_default=False,
        autocompletion=complete_alarm_rules,
    ),
]
_BLOCK = 65_536
_MOST_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(alarm, epilog=EPILOG, rich_help_panel=Panel.WATCH)


@alarm.command("list", epilog=EPILOG)
def list_alarms(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the present alarms: active, or over and seen by nobody."""
    found = ask(client_settings(server, token, config_file), lambda client: client.alarms())
    _show(found, as_json, "No alarms. 'blitz alarm history' lists those that there were.")


list_by_default(alarm, list_alarms)


@alarm.command(epilog=EPILOG)
def history(
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many, the newest.")] = 20,
    before: Annotated[int | None, typer.Option("--before", metavar="ID", min=1, help="Those before this one.")] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the alarms that there were, newest first."""
    settings = client_settings(server, token, config_file)
    _show(ask(settings, lambda client: client.alarm_history(before, count)), as_json, "There were no alarms.")


@alarm.command("ack", epilog=EPILOG)
def acknowledge(
    alarm_id: Annotated[
        int | None,
        typer.Argument(metavar="[ID]", min=1, help="As the list shows it.", autocompletion=complete_alarms),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are shown.")] = False,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What is to be remembered.")] = "",
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that an alarm was seen."""
    if (alarm_id is None) is not everything:
        raise typer.BadParameter("give either an alarm's id or --all")

    async def say(client: "AsyncClient") -> "list[AlarmOccurrence]":
        if alarm_id is None:
            return await client.acknowledge_alarms(note)
        return [await client.acknowledge_alarm(alarm_id, note)]

    seen = ask(client_settings(server, token, config_file), say)
    out = Output(as_json)
    out.document(acknowledged=seen)
    out.line(f"{plural(len(seen), 'alarm')} acknowledged.")


@alarm.command(epilog=EPILOG)
def rules(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rules, how they stand, and what is wrong with them."""
    kept = ask(client_settings(server, token, config_file), lambda client: client.alarm_rules())
    out = Output(as_json)
    out.document(rules=kept)
    if kept:
        out.table(("ID", "Name", "Says", "Severity", "State", "Fault"), [_rule_row(each) for each in kept])
    else:
        out.line("No rules. 'blitz alarm add \"Too hot\" oven temp --above 90' makes one.")


@alarm.command(epilog=EPILOG)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people read.", show_default=False)],
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="The board's name.", show_default=False, autocompletion=complete_sources),
    ],
    channel: Annotated[
        str, typer.Argument(metavar="[CHANNEL]", help="Its channel; with --no-data, none.", show_default=False)
    ] = "",
    above: options.Above = None,
    below: options.Below = None,
    outside: options.Outside = None,
    inside: options.Inside = None,
    rate: options.Rate = None,
    over: options.OverS = 1.0,
    equals: options.Equals = None,
    differs: options.Differs = None,
    tolerance: options.Tolerance = 0.0,
    no_data: options.NoData = None,
    hysteresis: options.Hysteresis = 0.0,
    on_delay: options.OnDelay = None,
    off_delay: options.OffDelay = None,
    severity: options.SeverityOption = None,
    only_recording: options.OnlyRecording = None,
    latched: options.Latched = None,
    advice: options.Advice = None,
    hook: options.HookNames = None,
    marker: options.MarkerText = None,
    start: options.StartName = None,
    before: options.BeforeS = 0.0,
    stop: options.Stop = False,
    send: options.Send = None,
    later: Annotated[bool, typer.Option("--later", help="The source or channel need not be there yet.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a rule, which holds from now on, whoever is connected.

    blitz alarm add "Too hot" oven temp --above 90 --hysteresis 2 --for 5 --hook mail
    """
    condition = options.condition_of(
        *(above, below, outside, inside, rate, over, equals, differs, tolerance, no_data, hysteresis)
    )
    if condition is None:
        raise typer.BadParameter("say when it is an alarm, such as --above 90")
    fields = options.fields_of(
        *(severity, on_delay, off_delay, only_recording, latched, advice, hook, marker, start, before, stop, send)
    )
    rule: dict[str, Any] = {"name": name, "source": source, "channel": channel, "condition": condition, **fields}
    kept = ask(client_settings(server, token, config_file), lambda client: client.add_alarm_rule(rule, later=later))
    _told(kept, as_json)


@alarm.command(epilog=EPILOG)
def change(
    rule: RuleArgument,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Another name.")] = None,
    above: options.Above = None,
    below: options.Below = None,
    outside: options.Outside = None,
    inside: options.Inside = None,
    rate: options.Rate = None,
    over: options.OverS = 1.0,
    equals: options.Equals = None,
    differs: options.Differs = None,
    tolerance: options.Tolerance = 0.0,
    no_data: options.NoData = None,
    hysteresis: options.Hysteresis = 0.0,
    on_delay: options.OnDelay = None,
    off_delay: options.OffDelay = None,
    severity: options.SeverityOption = None,
    only_recording: options.OnlyRecording = None,
    latched: options.Latched = None,
    advice: options.Advice = None,
    hook: options.HookNames = None,
    marker: options.MarkerText = None,
    start: options.StartName = None,
    before: options.BeforeS = 0.0,
    stop: options.Stop = False,
    send: options.Send = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what options name of a rule; its actions and its condition are each replaced as a whole."""
    changes = options.fields_of(
        *(severity, on_delay, off_delay, only_recording, latched, advice, hook, marker, start, before, stop, send)
    )
    condition = options.condition_of(
        *(above, below, outside, inside, rate, over, equals, differs, tolerance, no_data, hysteresis)
    )
    changes |= {} if condition is None else {"condition": condition}
    changes |= {} if name is None else {"name": name}
    if not changes:
        raise typer.BadParameter("say what is to be changed, such as --above 95")
    _told(_change(rule, changes, server, token, config_file), as_json)


@alarm.command(epilog=EPILOG)
def enable(
    rule: RuleArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a rule hold again."""
    _told(_change(rule, {"is_enabled": True}, server, token, config_file), as_json)


@alarm.command(epilog=EPILOG)
def disable(
    rule: RuleArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a rule, and let it not hold; what it had raised is over."""
    _told(_change(rule, {"is_enabled": False}, server, token, config_file), as_json)


@alarm.command(epilog=EPILOG)
def confirm(
    rule: RuleArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a rule is to send what moves or heats something; it is sent when this was said twice."""

    async def say(client: "AsyncClient") -> "KeptRule":
        kept = await _find(client, rule)
        return await client.confirm_alarm_rule(kept.id, version=kept.version)

    _told(ask(client_settings(server, token, config_file), say), as_json)


@alarm.command(epilog=EPILOG)
def delete(
    rule: RuleArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a rule; what it had raised is over, and stays in the history."""

    async def remove(client: "AsyncClient") -> "KeptRule":
        kept = await _find(client, rule)
        await client.remove_alarm_rule(kept.id)
        return kept

    kept = ask(client_settings(server, token, config_file), remove)
    out = Output(as_json)
    out.document(deleted=kept.id)
    out.line(f"The rule {kept.rule.name!r} is deleted.")


@alarm.command("test", epilog=EPILOG)
def try_rule(
    rule: RuleArgument,
    session_id: SessionArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how often a rule would have raised its alarm in a session, and when; nobody is told."""
    from datetime import UTC, datetime

    from blitz.data.alarm_trial import AlarmTrial

    async def look(client: "AsyncClient") -> "list[AlarmCrossing]":
        kept = await _find(client, rule)
        session = await client.session(session_id)
        trial, crossings, first = AlarmTrial(kept.rule, session), list["AlarmCrossing"](), 0
        while len(block := await client.messages(session_id, first, _BLOCK)):
            crossings += trial.take(block)
            first = block.next_seq
        return crossings + trial.end()

    crossings = ask(client_settings(server, token, config_file), look)
    raised = [each for each in crossings if each.is_raised]
    out = Output(as_json)
    out.document(raised=[{"time_ns": each.time_ns, "seq": each.seq, "value": each.value} for each in raised])
    out.line(f"It would have been raised {plural(len(raised), 'time')}.")
    for each in raised[:_MOST_SHOWN]:
        moment = local_time(datetime.fromtimestamp(each.time_ns / 1e9, UTC))
        out.line(f"  {moment}  message {each.seq}{'' if each.value is None else f'  {each.value:g}'}")
    if len(raised) > _MOST_SHOWN:
        out.line(f"  and {len(raised) - _MOST_SHOWN} more")


def _change(rule: str, changes: dict[str, Any], server: Any, token: Any, config_file: Any) -> "KeptRule":
    async def say(client: "AsyncClient") -> "KeptRule":
        kept = await _find(client, rule)
        return await client.change_alarm_rule(kept.id, version=kept.version, **changes)

    return ask(client_settings(server, token, config_file), say)


async def _find(client: "AsyncClient", rule: str) -> "KeptRule":
    """Return a rule by its name or id."""
    from blitz.errors import AlarmRuleNotFound

    kept = await client.alarm_rules()
    found = [each for each in kept if each.rule.name == rule] or [each for each in kept if each.id == rule]
    if not found:
        raise AlarmRuleNotFound(f"There is no rule {rule!r}. 'blitz alarm rules' lists those that there are.")
    return found[0]


def _told(kept: "KeptRule", as_json: bool) -> None:
    out = Output(as_json)
    out.document(rule=kept)
    does = "" if kept.rule.is_enabled else " It is disabled."
    out.line(f"{kept.rule.name} (rule {kept.id}): {kept.rule.words()}.{does}{f' {kept.fault}' if kept.fault else ''}")


def _show(found: "list[AlarmOccurrence]", as_json: bool, nothing: str) -> None:
    out = Output(as_json)
    out.document(alarms=[each.model_dump(mode="json", exclude_none=True) | {"state": each.state} for each in found])
    if not found:
        out.line(nothing)
        return
    headers = ("ID", "State", "Severity", "Alarm", "Raised", "Over", "Seen by", "Note")
    out.table(headers, [_row(each) for each in found])


def _row(each: "AlarmOccurrence") -> tuple[str, ...]:
    over = "–" if each.cleared_at is None else local_time(each.cleared_at)
    words = each.words, local_time(each.raised_at), over
    return str(each.id), each.state.value, each.severity.value, *words, each.acknowledged_by or "–", each.note


def _rule_row(each: "KeptRule") -> tuple[str, ...]:
    state = each.state.value if each.rule.is_enabled else "disabled"
    return each.id, each.rule.name, each.rule.words(), each.rule.severity.value, state, each.fault
