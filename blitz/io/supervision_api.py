"""The HTTP calls for those who watch over the server: ``/health`` and ``/metrics``."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Response

from blitz.io.health import Health
from blitz.io.lanes import Lanes
from blitz.io.metrics import Metrics


def supervision_calls(health: Callable[[], Health], metrics: Metrics, lanes: Lanes) -> APIRouter:
    """Return the calls, which are answered from memory."""
    calls = APIRouter(tags=["supervision"])

    @calls.get("/health", response_model_exclude_none=True, responses={503: {"model": Health}})
    @lanes.memory
    def read_health(response: Response) -> Health:
        """Say whether messages are stored, and whether that will last."""
        found = health()
        if found.status != "ok":
            response.status_code = 503
        return found

    @calls.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    @lanes.memory
    def read_metrics(accept: Annotated[str, Header()] = "") -> Response:
        """Return the server's numbers for Prometheus."""
        body, content_type = metrics.render(accept)
        return Response(body, headers={"content-type": content_type})

    return calls
