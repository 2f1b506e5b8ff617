"""The scene of alarms: one is made from a channel's menu, others are raised, seen, and over."""

from typing import TYPE_CHECKING

from picture_bench import Server
from PyQt5.QtWidgets import QMessageBox

from blitz import Client
from blitz.data.source_config import SourceConfig
from blitz.ui.alarm_draft import KINDS
from blitz.ui.alarm_view import AlarmView
from blitz.ui.dialogs.alarm_rule import AlarmRuleDialog

if TYPE_CHECKING:
    from screenshots import Scene


def alarms(scene: "Scene") -> None:
    """An oven gets too hot; a board is silent; somebody makes an alarm that writes an e-mail."""
    window = scene.window

    def known() -> AlarmView:
        return window.alarms.view or AlarmView()

    with Server(scene.folder / "data", "--simulate", "1") as server, Client(server.url) as script:
        oven = script["oven"]
        oven.create({"type": "number"}, unit="°C", description="the annealing oven")
        oven.insert(71.0)
        script.add_source(SourceConfig(name="oven", link="stream:oven"))
        scene.connect(server.url)
        scene.wait(lambda: "oven" in {board.name for board in window.boards_page.boards.boards})
        scene.wait(lambda: known().rules)
        window.tabs.setCurrentWidget(window.alarms.page)
        scene.take("alarms_empty")
        for number in range(40):
            oven.insert(70.0 + number % 5)
        window.tabs.setCurrentWidget(window.live_page)
        scene.wait(lambda: any(each.source.name == "oven" for each in window.store.channels))
        (channel,) = [each for each in window.store.channels if each.source.name == "oven"]
        extremes = window.store.extremes(channel.source.index)
        assert extremes is not None
        window.alarms.ask_channel(channel)
        dialog = scene.find(AlarmRuleDialog)
        scene.take("alarm_new")
        dialog.tells.setCurrentIndex(dialog.tells.count() - 1)
        dialog.more.setChecked(True)
        scene.take("alarm_new_email")
        mail = dialog.mail_fields
        mail.to.setText("ann@lab.example")
        mail.server.setText("127.0.0.1:9")
        mail.test.click()
        scene.wait(lambda: mail.tried is not None)
        dialog.rest.does.setCurrentIndex(dialog.rest.does.findData("start"))
        scene.take("alarm_new_email_refused")
        dialog.tells.setCurrentIndex(0)
        dialog.more.setChecked(False)
        for kind in KINDS:
            dialog.kind.setCurrentIndex(dialog.kind.findData(kind))
            scene.take(f"alarm_kind_{kind.words.replace(' ', '_')}")
        dialog.kind.setCurrentIndex(0)
        dialog.numbers["above"].setText("hot")
        dialog.accept()
        scene.take("alarm_new_wrong")
        dialog.reject()
        name = channel.channel.name
        level = {"kind": "level", "above": 90.0, "hysteresis": 2.0}
        hot = {"source": "oven", "channel": name}
        script.add_alarm_rule({"name": "Warm", **hot, "condition": {**level, "above": 80.0}, "severity": "info"})
        script.add_alarm_rule(
            {
                "name": "Oven too hot",
                **hot,
                "condition": level,
                "severity": "critical",
                "advice": "Open the door and switch the heater off.",
                "actions": [{"kind": "start", "name": "oven too hot"}],
            }
        )
        script.add_alarm_rule(
            {
                "name": "Heats too fast",
                **hot,
                "condition": {"kind": "rate", "above_per_s": 5.0, "window_s": 2.0, "direction": "rising"},
            }
        )
        scene.wait(lambda: len([k for k in known().rules if not k.is_default]) == 3)
        oven.insert(93.4)
        scene.wait(lambda: known().counts.unacknowledged >= 2)
        scene.take("alarm_bar")
        window.tabs.setCurrentWidget(window.alarms.page)
        scene.take("alarms")
        wait = {**hot, "condition": {**level, "above": 85.0}, "on_delay_s": 600.0}
        script.add_alarm_rule({"name": "Stays too hot", **wait})
        oven.insert(93.6)
        scene.wait(lambda: known().pending)
        seen = next(each for each in known().present if each.rule.name == "Warm")
        script.acknowledge_alarm(seen.id, "looked at it")
        scene.wait(lambda: known().counts.unacknowledged == 1)
        scene.take("alarms_acknowledged_and_pending")
        oven.insert(72.0)
        scene.wait(lambda: not known().counts.active)
        scene.take("alarms_latched")
        script.acknowledge_alarms("the door was not closed")
        scene.wait(lambda: not window.alarms.bar.isVisible())
        window.alarms.page.past.click()
        page = window.alarms.page
        page.alarm_table.selectRow(1)
        scene.take("alarms_history")
        script.stop()
        retract = {"kind": "command", "board": "sim1", "command": "098500000000001400000000000"}
        script.add_alarm_rule({"name": "Retract the arm", **hot, "condition": level, "actions": [retract]})
        scene.wait(page.confirm.isVisible)
        page.rule_table.selectRow([kept.rule.name for kept in page.rules.rules].index("Retract the arm"))
        scene.take("alarms_confirm")
        window.alarms.ask_rule(page.selected_rule)
        changed = scene.find(AlarmRuleDialog)
        changed.more.setChecked(True)
        scene.take("alarm_change_actions")
        changed.reject()
        page.confirm.click()
        scene.take("alarms_confirm_question")
        scene.find(QMessageBox).reject()
        for number in range(30):
            warm = {"kind": "level", "above": 60.0 + number / 2}
            script.add_alarm_rule({"name": f"Above {60 + number / 2:g} for the log", **hot, "condition": warm})
        page.present.click()
        oven.insert(76.0)
        scene.wait(lambda: known().counts.unacknowledged >= 30)
        scene.take("alarms_many")
        scene.connect(server.url, server.make_token("viewer"))
        scene.wait(lambda: not page.new.isEnabled() and known().counts.unacknowledged >= 30)
        window.tabs.setCurrentWidget(page)
        scene.take("alarms_viewer")
