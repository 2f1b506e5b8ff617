"""The interface against its own schema: whatever schemathesis thinks of, no fault of ours, and no secret told."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

import blitz

TOKEN = "a-token-for-this-test-only"
EXAMPLES = 100 if os.environ.get("BLITZ_SOAK") else 3
MAY_BE_AWAY = {503, 504, 507}
"""Redis, a port or a board does not answer, or the disk is full: said with a code, and no fault of ours."""

OPEN_PATHS = ("/api/v1/health", "/api/v1/metrics")
"""For supervisors; what is measured is open on loopback only."""
SAY_WHERE = ("/api/v1/archive",)
"""An operator asks it where the archive's files are."""
REFUSED = (401, 404, 405, 422, 429)

pytestmark = pytest.mark.timeout(600)  # some thousand requests, one after the other, and more with each new call

calm = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not os.environ.get("BLITZ_SOAK"),
    suppress_health_check=list(HealthCheck),
)


class Interface:
    """A running server, and what it must not tell."""

    def __init__(self, server: Any) -> None:
        self.url = server.url
        self.log_path = server.log_path
        installed = Path(blitz.__file__).parent
        self.secrets = [TOKEN, str(server.data_dir), str(installed), "Traceback (most recent call last)", "redis.sock"]
        answer = httpx.get(f"{self.url}/openapi.json", trust_env=False, timeout=60)
        self.schema = schemathesis.openapi.from_dict(answer.json())
        self.schema.config.update(base_url=self.url)
        self.unsatisfiable: set[tuple[str, GenerationMode]] = set()

    def check_all(self, check: Callable[[schemathesis.Case], object]) -> int:
        """Try every call of the schema; return how many there are."""
        count = 0
        for found in self.schema.get_all_operations():
            operation = found.ok()
            for mode in GenerationMode:
                if (operation.label, mode) in self.unsatisfiable:
                    continue
                cases = operation.as_strategy(generation_mode=mode)
                try:
                    calm(given(cases)(check))()
                except Unsatisfiable:  # there is nothing that could be wrong in it; to find that out takes longest
                    self.unsatisfiable.add((operation.label, mode))
            count += 1
        return count

    def check(self, case: schemathesis.Case, headers: dict[str, str]) -> int:
        request = case.as_transport_kwargs()
        # Without TLS there is no certificate to verify, and none to load for each request.
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60, verify=False) as http:
            sent = http.build_request(
                request["method"],
                request["url"],
                params=request.get("params"),
                headers={
                    name: str(value).encode("latin-1", "replace")
                    for name, value in {**dict(request.get("headers") or {}), **headers}.items()
                },
                cookies=request.get("cookies"),
                content=request.get("data") if isinstance(request.get("data"), bytes | str) else None,
                json=request.get("json"),
            )
            answer = http.send(sent)
        said = answer.text
        for secret in () if case.operation.path in SAY_WHERE else self.secrets:
            assert secret not in said, f"{sent.method} {sent.url} gives {secret!r} away"
        if answer.status_code >= 400:
            if answer.headers["content-type"] == "application/problem+json":
                assert answer.json()["status"] == answer.status_code
                assert answer.json()["code"] not in ("fault", "error")
            else:
                assert answer.status_code in MAY_BE_AWAY  # the health, which is a record
        assert answer.status_code < 500 or answer.status_code in MAY_BE_AWAY, said
        return answer.status_code

    def check_log(self) -> None:
        """A fault that was answered politely is a fault all the same."""
        assert "Traceback" not in self.log_path.read_text()


@pytest.fixture(scope="module")
def interface(run_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interface]:
    config = tmp_path_factory.mktemp("config") / "blitz.toml"
    config.write_text(f'[server]\ntoken = "{TOKEN}"\n')
    interface = Interface(run_server("--simulate", "1", "--durability", "none", "--config", str(config)))
    yield interface
    interface.check_log()


def test_no_call_with_a_token_finds_a_fault_of_ours(interface: Interface) -> None:
    def check(case: schemathesis.Case) -> None:
        interface.check(case, {"Authorization": f"Bearer {TOKEN}"})

    assert interface.check_all(check) > 20


def test_no_call_without_a_token_gets_anything(interface: Interface) -> None:
    def check(case: schemathesis.Case) -> None:
        if case.operation.path not in OPEN_PATHS:
            assert interface.check(case, {}) in REFUSED

    assert interface.check_all(check) > 20
