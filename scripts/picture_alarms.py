"""The scene of alarms: one is made from a channel's menu, others are raised, seen, and over."""

from typing import TYPE_CHECKING

from picture_bench import Server

from blitz import Client
from blitz.data.source_config import SourceConfig
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
        oven.insert(72.0)
        scene.wait(lambda: not known().counts.active)
        scene.take("alarms_latched")
        script.acknowledge_alarms("the door was not closed")
        scene.wait(lambda: not window.alarms.bar.isVisible())
        window.alarms.page.past.click()
        scene.take("alarms_history")
        script.stop()
