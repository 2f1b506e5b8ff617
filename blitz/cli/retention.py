"""The command about retention: which sessions would go by rule, and letting them go."""

from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output, local_time

if TYPE_CHECKING:
    from blitz.data.retention import RetentionStep


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.KEEP)(retention)


def retention(
    apply: Annotated[bool, typer.Option("--apply", help="Do it; otherwise it is only shown.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which sessions the server's rule would let go now.

    With --apply, let them go. The rule is set on the server: keep_days, keep_starred, keep_free_gb and trash_days.
    """
    from blitz.data.room import size_words

    settings = client_settings(server, token, config_file)
    plan = ask(settings, lambda client: client.apply_retention() if apply else client.retention())
    out = Output(as_json)
    if as_json:
        out.document(**plan.model_dump(mode="json", exclude_none=True), applied=apply)
        return
    out.line(plan.rule)
    out.line(f"Free on disk: {size_words(plan.free_bytes)}.")
    if plan.steps:
        headers = ("ID", "Name", "Started", "Size", "Goes", "Why")
        out.table(headers, [_row(step) for step in plan.steps])
    out.line(plan.describe())
    if plan.steps and apply:
        out.line("This was done; 'blitz trash list' shows what can be restored.")
    elif plan.steps:
        out.line("Nothing was changed; 'blitz retention --apply' does it.")


def _row(step: "RetentionStep") -> tuple[str, ...]:
    from blitz.data.room import size_words

    session = step.session
    where = "to the trash" if step.action == "trash" else "for good"
    return str(session.id), session.name, local_time(session.started_at), size_words(step.bytes), where, step.reason
