"""When no room is left: a start is refused, a running session ends in good order, and all of it is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.boards import load_definitions
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.errors import StoreFull
from blitz.io import blitz_device
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.redis_child import running_redis
from blitz.io.room_options import RoomOptions
from blitz.io.room_watch import RoomWatch
from blitz.io.simulator import SimulatedBoard, message_number

BAUD = 921_600
GB = 1 << 30


class SmallDisk(LocalDisk):
    """A disk with as much room as a test says."""

    free = 50 * GB

    def free_bytes(self, folder: Path) -> int:
        return self.free


def test_a_session_is_stopped_with_the_reason_when_the_disk_fills_and_nothing_is_lost(
    store: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)
    disk = SmallDisk()
    options = RoomOptions(tmp_path, None, tmp_path / "spool", 0, True, 512 << 20, 1 << 30)
    with SimulatedBoard("08", rate_hz=200, ring=2000, silence_s=0.1, baud=BAUD) as board:
        devices = DeviceOptions([SerialPort(board.path, BAUD)], scan_usb="off")
        acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices))
        acquisition.room = RoomWatch(store.sizes, options, acquisition.notice, disk=disk, total_bytes=lambda _: 99 * GB)
        acquisition.start()
        try:
            acquisition.devices.scan()
            session = acquisition.start_session("long")
            wait_until(lambda: acquisition.status().session.message_count > 50)
            assert acquisition.status().room.level == "ok"
            disk.free = 2 * GB
            wait_until(lambda: acquisition.status().room.level == "warning")
            assert acquisition.status().session is not None
            disk.free = 500 << 20
            wait_until(lambda: acquisition.status().session is None)
            stopped = store.session(session.id)
            assert stopped.stop_reason.startswith(f"No room was left: The disk of {tmp_path} is full")
            assert not stopped.interrupted
            numbers = [message_number(message) for message in store.messages(session.id, 0, 10**6).messages()]
            assert numbers == list(range(numbers[0], numbers[0] + stopped.message_count))
            assert acquisition.status().room.level == "full"
            with pytest.raises(StoreFull, match="cannot be started, for no room is left"):
                acquisition.start_session()
            disk.free = 50 * GB
            again = acquisition.start_session()
            assert again.id == session.id + 1
            texts = [(notice.severity, notice.text) for notice in acquisition.notices]
            assert any(severity == "warning" and "GB left" in text for severity, text in texts)
            stops = [text for severity, text in texts if text.startswith(f"Session {session.id} is stopped by the ser")]
            assert len(stops) == 1
            assert ("info", "There is room for messages again.") in texts
        finally:
            acquisition.stop()


@pytest.fixture(scope="module")
def full_server(run_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that must keep more free than there is, and sessions for no longer than a millisecond."""
    config = tmp_path_factory.mktemp("config") / "blitz.toml"
    config.write_text("[server]\ndisk_reserve_mb = 1000000000\nkeep_days = 1e-8\n")
    return run_server("--simulate", "1", "--durability", "none", "--config", str(config))


def test_a_server_without_room_refuses_to_start_and_says_what_to_do(full_server: Any) -> None:
    with httpx.Client(base_url=f"{full_server.url}/api/v1", trust_env=False, timeout=60) as http:
        refused = http.post("/sessions", json={"name": "x"})
        assert (refused.status_code, refused.json()["code"]) == (507, "store_full")
        assert refused.json()["detail"].startswith("A session cannot be started, for no room is left. The disk of ")
        room = http.get("/status").json()["room"]
        assert (room["level"], room["limited_by"], room["disk_free_bytes"]) == ("full", "disk", 0)
        assert room["text"] in [notice["text"] for notice in http.get("/events").json()]


def test_the_rule_of_the_settings_is_shown_and_applied(full_server: Any) -> None:
    with httpx.Client(base_url=f"{full_server.url}/api/v1", trust_env=False, timeout=60) as http:
        store = DatabaseServer(running_redis(full_server.data_dir))
        try:
            session_id = store.start_session("by another program")
            store.stop_session()
        finally:
            store.close()
        wait_until(lambda: http.get("/retention").json()["steps"])
        plan = http.get("/retention").json()
        assert plan["rule"].startswith("Sessions older than 1e-08 days go to the trash.")
        assert [(step["session"]["id"], step["action"]) for step in plan["steps"]] == [(session_id, "trash")]
        assert http.get(f"/sessions/{session_id}").status_code == 200, "that was a dry run"
        applied = http.post("/retention/apply").json()
        assert [step["session"]["id"] for step in applied["steps"]] == [session_id]
        assert http.get(f"/sessions/{session_id}").status_code == 404
        assert http.post(f"/trash/{session_id}/restore").json()["id"] == session_id
