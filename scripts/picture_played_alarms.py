"""The scene of alarms in a playback: an oven got too hot in a session, and the session is played back."""

from typing import TYPE_CHECKING

from picture_bench import Server

from blitz import Client
from blitz.data.source_config import SourceConfig

if TYPE_CHECKING:
    from screenshots import Scene


def played(scene: "Scene") -> None:
    """Looked at where one alarm is active, where none is, at the end, in the list; and without a server."""
    window = scene.window
    with Server(scene.folder / "data", "--simulate", "1") as server, Client(server.url) as script:
        oven = script["oven"]
        oven.create({"type": "number"}, unit="°C", description="the annealing oven")
        oven.insert(71.0)
        script.add_source(SourceConfig(name="oven", link="stream:oven"))
        scene.connect(server.url)
        scene.wait(lambda: "oven" in {board.name for board in window.boards_page.boards.boards})
        for number in range(40):
            oven.insert(70.0 + number % 5)
        scene.wait(lambda: {"oven", "sim1"} <= {each.source.name for each in window.store.channels})
        (channel,) = [each for each in window.store.channels if each.source.name == "oven"]
        hot = {"source": "oven", "channel": channel.channel.name}
        level = {"kind": "level", "above": 90.0, "hysteresis": 2.0}
        script.add_alarm_rule({"name": "Warm", **hot, "condition": {**level, "above": 80.0}, "severity": "info"})
        script.add_alarm_rule({"name": "Oven too hot", **hot, "condition": level, "severity": "critical"})
        script.add_alarm_rule(
            {"name": "Sensor", "source": "sim1", "channel": "adc_channel_one",
             "condition": {"kind": "level", "above": 3000.0}}
        )  # fmt: skip
        session = script.start("annealing")
        for number in range(60):
            oven.insert(70.0 + 24.0 * max(0.0, 1 - abs(number % 30 - 15) / 9))
            scene.camera.run_for(0.2)
        script.stop()
        script.acknowledge_alarms()
        scene.wait(lambda: window.sessions_page.sessions.is_local(session.id))
        scene.wait(lambda: not window.alarms.bar.isVisible())
        window.playback.begin(session.id)
        scene.wait(lambda: window.playback.is_on)
        player, alarms = window.playback.player, window.playback.alarms
        assert player is not None
        player.pause()
        scene.wait(lambda: alarms.played is not None)
        alarms.go(is_on=True)
        alarms.go(is_on=True)
        player.step(0.5)
        scene.take("playback_alarm")
        player.seek(player.length_s)
        scene.take("playback_alarms_none")
        alarms.bar.list.click()
        scene.take("playback_alarms_list")
