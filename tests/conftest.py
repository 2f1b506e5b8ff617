"""What all tests share: a real Redis, hypothesis profiles, Qt without a screen."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for name in [name for name in os.environ if name.startswith("BLITZ_") and name != "BLITZ_SOAK"]:
    del os.environ[name]
os.environ["BLITZ_CONFIG"] = os.devnull

_calm = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("quick", max_examples=25, print_blob=True, **_calm)
settings.register_profile("soak", max_examples=2000, print_blob=True, **_calm)
settings.load_profile("soak" if os.environ.get("BLITZ_SOAK") else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("BLITZ_SOAK"):
        return
    skip = pytest.mark.skip(reason="a long count; `make soak` runs it")
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def _redis_process() -> Iterator[str]:
    from blitz.io.redis_child import RedisChild

    with tempfile.TemporaryDirectory(prefix="blitz-test-redis-") as folder, RedisChild(Path(folder), "none") as child:
        yield child.url


@pytest.fixture
def redis_url(_redis_process: str) -> str:
    """The address of a real, empty Redis."""
    import redis

    client = redis.Redis.from_url(_redis_process)
    client.flushall()
    client.close()
    return _redis_process
