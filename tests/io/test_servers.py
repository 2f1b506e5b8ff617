"""Independent servers by name, against real ones."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import blitz
from blitz.data.profiles import Profile, add_profile
from blitz.data.records import Event
from blitz.errors import BlitzError, ConfigError, ServerUnreachable

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def benches(run_server: Callable[..., Any]) -> dict[str, str]:
    return {f"bench{n}": run_server("--simulate", "1", "--durability", "none").url for n in (1, 2)}


async def test_sessions_boards_and_live_data_by_server_name(benches: dict[str, str]) -> None:
    async with asyncio.timeout(120), blitz.Servers(benches, timeout=30) as servers:
        assert list(servers) == ["bench1", "bench2"]
        await servers.each(lambda client: client.scan())
        for name, client in servers.items():
            await client.start(f"on {name}")
        seen: dict[str, Any] = {}
        async with aclosing(servers.live()) as entries:  # type: ignore[type-var]
            async for server, entry in entries:
                assert not isinstance(entry, BlitzError)
                if not isinstance(entry, Event):
                    seen[server] = entry
                if len(seen) == 2:
                    break
        sessions = await servers.sessions()
        boards = await servers.boards()
        await servers.each(lambda client: client.stop())
    for name in benches:
        found = sessions[name]
        assert not isinstance(found, BlitzError)
        assert [record.name for record in found] == [f"on {name}"]
        devices = boards[name]
        assert not isinstance(devices, BlitzError)
        assert [board.name for board in devices] == ["sim1"]
        assert seen[name].session_id == found[0].id


async def test_one_that_is_away_hides_nothing_of_the_others(benches: dict[str, str]) -> None:
    places = {"away": "http://127.0.0.1:9", "bench1": benches["bench1"]}
    async with asyncio.timeout(60), blitz.Servers(places) as servers:
        sessions = await servers.sessions()
        assert isinstance(sessions["away"], ServerUnreachable)
        assert isinstance(sessions["bench1"], list)
        async with aclosing(servers.live()) as entries:  # type: ignore[type-var]
            found = {}
            async for server, entry in entries:
                found[server] = entry
                if len(found) == 2:
                    break
        assert isinstance(found["away"], ServerUnreachable)
        assert isinstance(found["bench1"], Event)


def test_no_server_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        blitz.Servers({})


async def test_profiles_are_servers_by_name(
    benches: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLITZ_PROFILES", str(tmp_path / "profiles.toml"))
    with pytest.raises(ConfigError, match="There are no profiles"):
        blitz.Servers.from_profiles()
    for name, url in benches.items():
        add_profile(Profile(name, url))
    async with asyncio.timeout(60), blitz.Servers.from_profiles(timeout=30) as servers:
        assert list(servers) == ["bench1", "bench2"]
        assert [type(answer) for answer in (await servers.sessions()).values()] == [list, list]
    async with asyncio.timeout(60), blitz.Servers.from_profiles("bench2") as servers:
        assert list(servers) == ["bench2"]
    with pytest.raises(ConfigError, match=r"There is no profile 'bench3'\. There are: bench1, bench2"):
        blitz.Servers.from_profiles("bench3")
