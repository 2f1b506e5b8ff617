"""Alarms in the window: what is shown of them, what is asked of the server, and the rule that a dialog makes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mail_server import MailServer, serving
from PyQt5.QtCore import QEvent, Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QLabel, QMessageBox

from blitz.data.alarm_records import AlarmChange, AlarmCounts, AlarmOccurrence, AlarmState, KeptRule
from blitz.data.alarm_rule import AlarmRule
from blitz.data.computed import ComputedChannel
from blitz.data.hook_config import HookEvent
from blitz.data.hook_records import HookRecord
from blitz.data.records import StatusRecord, StoreRecord
from blitz.ui.alarm_draft import KINDS, Watched, kind_of, make_rule
from blitz.ui.alarm_view import Acknowledge, AddMail, AddRule, AlarmView, ChangeRule, ConfirmRule, RemoveRule, TryMail
from blitz.ui.computed_channels import computed_source
from blitz.ui.dialogs.alarm_rule import AlarmRuleDialog
from blitz.ui.live_store import list_channels

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
CHANNELS = (Watched("oven", "temp", "°C"), Watched("oven", "door"), Watched("oven"))
HOOK = HookRecord(name="ann", kind="email", target="ann@lab by mail", on=(HookEvent.ALARM,), after_s=0)


def make(name: str = "Too hot", **fields: Any) -> AlarmRule:
    given = {"name": name, "source": "oven", "channel": "temp", "condition": {"kind": "level", "above": 90.0}}
    return AlarmRule.model_validate({**given, **fields})


def occurrence(number: int = 1, rule: AlarmRule | None = None, **fields: Any) -> AlarmOccurrence:
    raised = NOW + timedelta(seconds=number)
    given = {"id": number, "rule_id": str(number), "rule": rule or make(), "source": "oven", "unit": "°C"}
    given |= {"value": 93.1, "raised_at": raised, "raised_ns": round(raised.timestamp() * 1e9)}
    return AlarmOccurrence.model_validate({**given, **fields})


def asked(feed: Any) -> list[Any]:
    return [request[1] for request in feed.requests if request[0] == "alarm"]


def test_the_bar_tells_the_worst_alarm_until_all_are_seen(window: Any, feed: Any) -> None:
    bar, alarms = window.alarms.bar, window.alarms
    assert not bar.isVisible()
    critical = occurrence(1, make("Fire", severity="critical", advice="Run."))
    feed.alarms_told.emit(AlarmView(present=(occurrence(2), critical), history=(occurrence(2), critical)))
    assert bar.isVisible()
    assert (bar.head.text(), bar.seen.text()) == ("2 alarms", "Ac&knowledge all")
    assert bar.text.text().startswith("Fire: oven temp above 90 °C (93.1 °C), since ")
    assert window.tabs.tabText(window.tabs.indexOf(alarms.page)) == "Alarms (2)"
    bar.seen.click()
    assert asked(feed) == [Acknowledge()]
    for each in (critical, occurrence(2)):
        seen = each.model_copy(update={"acknowledged_at": NOW, "acknowledged_by": "ann"})
        feed.alarm_changed.emit(AlarmChange(what="acknowledged", occurrence=seen))
    assert not bar.isVisible()
    assert alarms.view.counts.active == 2
    assert window.tabs.tabText(window.tabs.indexOf(alarms.page)) == "Alarms"


def test_a_raised_alarm_sounds_and_a_critical_one_again_unless_silenced(
    window: Any, feed: Any, preferences: Any
) -> None:
    sounds: list[int] = []
    window.alarms.sounded.connect(lambda: sounds.append(1))
    feed.alarm_changed.emit(AlarmChange(what="raised", occurrence=occurrence(1)))
    assert (len(sounds), window.alarms._sound.isActive()) == (1, False)
    feed.alarm_changed.emit(AlarmChange(what="raised", occurrence=occurrence(2, make(severity="critical"))))
    assert (len(sounds), window.alarms._sound.isActive()) == (2, True)
    feed.alarm_changed.emit(AlarmChange(what="raised", occurrence=occurrence(3), is_playback=True))
    assert len(sounds) == 2
    window.alarms.bar.silence.click()
    feed.alarm_changed.emit(AlarmChange(what="raised", occurrence=occurrence(4)))
    window.alarms._sound.timeout.emit()
    assert len(sounds) == 2
    assert bytes(preferences.place("alarms silent")) == b"1"
    feed.alarms_told.emit(AlarmView())
    assert not window.alarms._sound.isActive()


def test_the_page_shows_what_is_present_what_was_and_how_rules_stand(window: Any, feed: Any) -> None:
    page = window.alarms.page
    window.tabs.setCurrentWidget(page)
    over = occurrence(1, cleared_at=NOW, acknowledged_at=NOW, acknowledged_by="ann", note="door was open")
    silent = make("No data", channel="", condition={"kind": "no_data"})
    rules = (KeptRule(id="no_data:oven", rule=silent, is_default=True),
             KeptRule(id="2", rule=make()), KeptRule(id="3", rule=make("Broken"), fault="no such channel"),
             KeptRule(id="4", rule=make("Quiet", is_enabled=False)))  # fmt: skip
    feed.alarms_told.emit(AlarmView((occurrence(2),), (occurrence(2), over), rules, (HOOK,)))
    cell = page.alarms.index
    assert [cell(0, column).data() for column in range(5)] == [
        "ACTIVE",
        "warning",
        "Too hot",
        "oven temp above 90 °C",
        "93.1 °C",
    ]
    page.past.click()
    assert page.alarms.rowCount() == 2
    assert (cell(1, 0).data(), cell(1, 7).data()) == ("over", "ann: door was open")
    rows = page.rules
    states = {rows.index(row, 2).data(): rows.index(row, 0).data() for row in range(rows.rowCount())}
    assert states == {"Broken": "cannot be watched", "Quiet": "off", "Too hot": "ACTIVE", "No data": "normal"}
    page.present.click()
    page.alarm_table.setFocus()
    QTest.keyClick(page.alarm_table, Qt.Key_Space)
    assert asked(feed) == [Acknowledge(2)]


def test_a_rule_whose_delay_runs_says_so_as_the_status_tells(window: Any, feed: Any) -> None:
    page = window.alarms.page
    rule = KeptRule(id="2", rule=make("Slow", on_delay_s=60))
    feed.alarms_told.emit(AlarmView(rules=(rule,)))
    for pending, said in ((("2",), "about to be raised"), ((), "normal"), (("2",), "about to be raised")):
        counts = AlarmCounts(pending=pending)
        status = StatusRecord(version="0", store_id="x", now=NOW, store=StoreRecord(is_up=True), alarms=counts)
        feed.status_received.emit(status)
        assert page.rules.index(0, 0).data() == said
    feed.alarms_told.emit(AlarmView((occurrence(1, rule.rule, rule_id="2"),), rules=(rule,)))
    assert page.rules.index(0, 0).data() == "ACTIVE"


def test_rules_are_switched_off_and_deleted_after_a_question(window: Any, feed: Any) -> None:
    page = window.alarms.page
    kept = KeptRule(id="2", rule=make())
    feed.alarms_told.emit(AlarmView(rules=(kept,)))
    page.rule_table.selectRow(0)
    page.switch.click()
    page.remove.click()
    box = window.findChild(QMessageBox)
    next(button for button in box.buttons() if button.text() == "Delete").click()
    assert asked(feed) == [ChangeRule(kept, {"is_enabled": False}), RemoveRule(kept)]
    assert asked(feed)[0].changes == {"is_enabled": False}


def test_a_rule_that_would_move_something_is_confirmed_after_a_question(window: Any, feed: Any) -> None:
    page = window.alarms.page
    moving = make("Retract", actions=[{"kind": "command", "board": "arm", "command": "SETPOINT", "value": 5}])
    kept = KeptRule(id="2", rule=moving, must_confirm=2, fault="it is sent when the rule was confirmed twice")
    feed.alarms_told.emit(AlarmView(rules=(KeptRule(id="1", rule=make()), kept)))
    window.tabs.setCurrentWidget(page)
    assert page.confirm.isVisible()
    rows = {page.rules.index(row, 2).data(): row for row in range(2)}
    page.rule_table.selectRow(rows["Too hot"])
    assert not page.confirm.isEnabled()
    page.rule_table.selectRow(rows["Retract"])
    cells = [page.rules.index(rows["Retract"], column).data() for column in (0, 5)]
    assert cells == ["normal", "sends a command: confirm it twice"]
    page.confirm.click()
    box = window.findChild(QMessageBox)
    assert "sends “SETPOINT 5” to arm then, also while nobody is there" in box.informativeText()
    next(button for button in box.buttons() if button.text() == "Confirm").click()
    assert asked(feed) == [ConfirmRule(kept)]
    feed.alarms_told.emit(AlarmView(rules=(kept.model_copy(update={"must_confirm": 0, "fault": ""}),)))
    assert not page.confirm.isVisible()


def test_an_older_server_has_no_alarms_and_the_page_says_so(window: Any, feed: Any) -> None:
    feed.alarms_told.emit(None)
    page = window.alarms.page
    assert page.alarm_table._hint.startswith("This server has no alarms")
    assert not page.new.isEnabled()


@pytest.mark.parametrize("kind", KINDS, ids=[kind.words for kind in KINDS])
def test_each_kind_of_rule_can_be_made_and_is_recognised(kind: Any) -> None:
    numbers = {name: str(number) for number, (name, _) in enumerate(kind.fields, 1)}
    fields = {"name": "", "source": "oven", "channel": "temp"}
    rule = make_rule(kind, numbers, "0", fields, None)
    assert kind_of(rule) == kind
    assert rule.name == rule.words()
    assert make_rule(kind, numbers, "", {**fields, "name": rule.name}, rule) == rule


def test_what_cannot_be_a_rule_is_said_in_the_dialog(qtbot: Any) -> None:
    dialog = AlarmRuleDialog(CHANNELS, (HOOK,), chosen=CHANNELS[0], propose=lambda watched: 95.0)
    qtbot.addWidget(dialog)
    assert (dialog.numbers["above"].text(), dialog.unit.text()) == ("95", "°C")
    dialog.numbers["above"].setText("hot")
    dialog.accept()
    assert dialog.wrong.text() == "“hot” is not a number (limit)."
    dialog.kind.setCurrentIndex(dialog.kind.findData(KINDS[2]))
    dialog.numbers["low"].setText("5")
    dialog.numbers["high"].setText("1")
    dialog.accept()
    assert "the band goes from 5 up to 1" in dialog.wrong.text()
    dialog.numbers["high"].setText("9,5")
    dialog.tells.setCurrentIndex(2)  # behind everybody, and nobody
    dialog.rest.does.setCurrentIndex(dialog.rest.does.findData("start"))
    dialog.rest.before.setText("10")
    dialog.accept()
    rule = dialog.rule
    assert rule is not None
    assert (rule.words("°C"), rule.hooks) == ("oven temp outside 5 to 9.5 °C", ("ann",))
    assert rule.actions[0].model_dump() == {"kind": "start", "name": "", "before_s": 10.0}


def test_a_rule_that_the_form_cannot_write_keeps_its_condition(qtbot: Any) -> None:
    course = {"kind": "reference", "times_s": (0, 1), "values": (1, 2), "absolute": 0.5}
    command = {"kind": "command", "board": "b", "command": "x"}
    was = make(condition=course, actions=[{"kind": "marker"}, command], severity="critical", on_delay_s=2)
    dialog = AlarmRuleDialog(CHANNELS, (), kept=KeptRule(id="1", rule=was))
    qtbot.addWidget(dialog)
    assert dialog.rest.does.currentText() == "puts a marker, and sends its command"
    dialog.accept()
    assert dialog.rule == was


def test_units_stand_behind_what_is_counted_in_them(qtbot: Any) -> None:
    dialog = AlarmRuleDialog(CHANNELS, (), chosen=CHANNELS[0])
    qtbot.addWidget(dialog)

    def row() -> list[str]:
        parts = (dialog._numbers.itemAt(place).widget() for place in range(dialog._numbers.count()))
        return [part.text() if isinstance(part, QLabel) else part.placeholderText() for part in parts]

    for place, words in (
        (2, ["from", "", "to", "", "°C"]),
        (4, ["limit", "", "°C/s", "measured over, s", "1"]),
        (7, ["value", "", "give or take", "0", "°C"]),
        (9, ["for, s", "three usual periods", ""]),
    ):
        dialog.kind.setCurrentIndex(place)
        assert row() == words


def test_seconds_before_are_asked_for_only_where_a_session_is_started(qtbot: Any) -> None:
    dialog = AlarmRuleDialog(CHANNELS, ())
    qtbot.addWidget(dialog)
    rest = dialog.rest
    assert rest.before.isHidden()
    rest.does.setCurrentIndex(rest.does.findData("start"))
    assert not rest.before.isHidden()


def test_a_source_as_a_whole_can_only_be_silent(qtbot: Any) -> None:
    dialog = AlarmRuleDialog(CHANNELS, (), chosen=CHANNELS[0])
    qtbot.addWidget(dialog)
    dialog.watched.setCurrentIndex(2)
    assert dialog.kind.currentText() == "does not come"
    dialog.accept()
    assert dialog.rule is not None
    assert dialog.rule.words() == "oven sends nothing for three usual periods"


def test_an_address_is_set_up_before_its_alarm(window: Any, feed: Any) -> None:
    dialog = window.alarms.ask_rule(None, CHANNELS[0])
    dialog.numbers["above"].setText("90")
    dialog.tells.setCurrentIndex(dialog.tells.count() - 1)
    dialog.mail_fields.to.setText("ann")
    dialog.accept()
    assert dialog.wrong.text() == "Whom is the server to write to? Give an e-mail address."
    dialog.mail_fields.to.setText("ann@lab.example")
    dialog.mail_fields.server.setText("mail.lab.example:2525")
    dialog.accept()
    (trial,) = asked(feed)
    assert isinstance(trial, TryMail)
    assert trial.fields["port"] == 2525
    feed.alarm_answered.emit(trial, "No encryption there.")
    assert dialog.isVisible()
    assert dialog.mail_fields.said.text() == "No encryption there."
    assert dialog.accept_button.text() == "&Make the alarm anyway"
    mail_place = dialog.tells.currentIndex()
    for place, words in ((0, "&Make the alarm"), (mail_place, "&Make the alarm anyway")):
        dialog.tells.setCurrentIndex(place)
        assert dialog.accept_button.text() == words
    dialog.mail_fields.security.setCurrentIndex(2)
    assert (dialog.mail_fields.said.text(), dialog.accept_button.text()) == ("", "&Make the alarm")
    dialog.accept()
    feed.alarm_answered.emit(asked(feed)[1], "")
    assert not dialog.isVisible()
    mail = asked(feed)[2]
    assert isinstance(mail, AddMail)
    assert mail.fields["security"] == "none"
    feed.alarm_answered.emit(mail, "")
    added = asked(feed)[3]
    assert isinstance(added, AddRule)
    assert added.rule.hooks == ("ann",)
    assert window.notices.texts == []


def test_a_test_email_is_told_to_the_form_that_asked_for_it_while_it_is_there(window: Any, feed: Any) -> None:
    dialog = window.alarms.ask_rule(None, CHANNELS[0])
    dialog.numbers["above"].setText("90")
    fields = dialog.mail_fields
    dialog.tells.setCurrentIndex(dialog.tells.count() - 1)
    fields.test.click()
    assert fields.said.text() == "Whom is the server to write to? Give an e-mail address."
    fields.to.setText("ann@lab.example")
    fields.server.setText("mail.lab.example")
    fields.test.click()
    fields.test.click()  # one at a time
    (first,) = asked(feed)
    feed.alarm_answered.emit(first, "")
    assert (fields.said.text(), dialog.isVisible()) == ("A test e-mail was sent.", True)
    QTest.keyClicks(fields.to, ",bob@lab.example")
    dialog.accept()
    assert len(asked(feed)) == 2
    QTest.keyClick(fields.to, Qt.Key_E)
    feed.alarm_answered.emit(asked(feed)[1], "")  # of what is not typed any more
    assert (fields.said.text(), dialog.isVisible()) == ("", True)
    fields.test.click()
    dialog.reject()
    QApplication.sendPostedEvents(dialog, QEvent.DeferredDelete)
    feed.alarm_answered.emit(asked(feed)[2], "")
    assert window.notices.texts == []


def test_a_channel_that_is_computed_here_cannot_be_watched_by_the_server(window: Any) -> None:
    computed = ComputedChannel(label="sum", formula="a + b")
    (channel,) = list_channels([computed_source(0, computed)])
    assert window.alarms.ask_channel(channel) is None
    assert "the server can watch the channels that it is made of" in window.notices.texts[0]


def test_an_alarm_with_an_email_is_made_and_seen_at_a_real_server(
    run_server: Callable[..., Any], open_desk: Callable[..., Any]
) -> None:
    with serving(MailServer(None)) as mails:
        desk = open_desk(run_server("--simulate", "1", "--durability", "none").url)
        window, wait = desk.window, desk.wait
        side, alarms = window.live_page.side, window.alarms
        wait(lambda: side.variables.channels and alarms.view is not None and alarms.view.rules)
        dialog = alarms.ask_channel(side.variables.channels[0])
        dialog.kind.setCurrentIndex(dialog.kind.findData(KINDS[1]))  # below
        dialog.numbers["below"].setText("1e9")
        dialog.tells.setCurrentIndex(dialog.tells.count() - 1)
        dialog.mail_fields.to.setText("ann@lab.example")
        dialog.mail_fields.server.setText(f"127.0.0.1:{mails.server_address[1]}")
        dialog.mail_fields.security.setCurrentIndex(2)
        dialog.accept()
        wait(lambda: alarms.bar.isVisible())
        wait(lambda: len(mails.mails) >= 2)  # the test, and the alarm
        assert mails.mails[0][0] == ["ann@lab.example"]
        assert any(b"Warning" in body for _, body, _ in mails.mails)
        alarms.acknowledge_all()
        wait(lambda: not alarms.bar.isVisible())
        assert alarms.view.present[0].state is AlarmState.ACKNOWLEDGED
        (kept,) = [kept for kept in alarms.view.rules if not kept.is_default]
        alarms.page.enable_requested.emit(kept, False)
        wait(lambda: not alarms.view.present)
