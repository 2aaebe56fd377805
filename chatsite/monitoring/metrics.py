"""What Prometheus reads of this process.

Counters and histograms are where their events happen, in prometheus_client's own registry. This module adds the
figures that other objects keep.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import Count
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from chatsite.failures.failure_log import SHORTAGES
from chatsite.monitoring.inquiry import Inquiry
from chatsite.serving.peers import find_header, has_known_host, is_nearby
from conversations.answering import replies
from conversations.live.hub import Viewer, hub
from conversations.models import Generation
from conversations.models.generation import UNFINISHED
from gateway.serving import running

POOL_FIGURES: Final = ("pool_size", "pool_available", "pool_max", "requests_waiting")


def may_read(scope: Mapping[str, Any]) -> bool:
    """Whether the request has the token of the settings or, without one, comes from a private network."""
    if not settings.METRICS_TOKEN:
        return is_nearby(scope) and has_known_host(scope)
    scheme, _, token = (find_header(scope, b"authorization") or "").partition(" ")
    is_right = hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    return is_right and scheme.lower() == "bearer"


async def render(accept: str) -> tuple[str, bytes]:
    """Returns the content type and the metrics, in the format that the client accepts."""
    try:
        process_figures.unfinished = await unfinished.ask()
    except SHORTAGES:
        process_figures.unfinished = {}
    return encode(accept)


def encode(accept: str) -> tuple[str, bytes]:
    try:
        encoder, content_type = choose_encoder(accept)
        return content_type, encoder(REGISTRY)
    except (TypeError, ValueError):
        # The client asks for a version that the library cannot read.
        encoder, content_type = choose_encoder("")
        return content_type, encoder(REGISTRY)


def count_unfinished() -> dict[str, int]:
    """Counts the unfinished answers of all processes, by state."""
    rows = Generation.objects.unfinished().order_by().values_list("state").annotate(Count("pk"))
    return {**dict.fromkeys(UNFINISHED, 0), **dict(rows)}


class ProcessFigures(Collector):
    """Reads what the owners of a process's work count anyway. Call it on the event loop."""

    def __init__(self) -> None:
        self.unfinished: Mapping[str, int] = {}
        """Empty if the database does not answer."""

    def describe(self) -> Iterable[Metric]:
        # Otherwise, registering would collect.
        return []

    def collect(self) -> Iterable[Metric]:
        yield gauge("answers_running", "Answers that this process writes.", len(replies.local.running()))
        yield gauge("program_calls_running", "Calls that this process makes for programs.", running.local.count)
        yield gauge("viewers", "Connections of pages with live updates.", hub.count_viewers())
        yield counter("frames", "Updates for the viewers of this process, each counted once.", hub.delivered)
        yield counter("queue_drops", "Times that a viewer was too slow and had to catch up.", Viewer.drops)
        if hub.bus:
            yield gauge("bus_lag_seconds", "Seconds that a message of this process takes through Redis.", hub.bus.lag)
        yield from self._collect_unfinished()
        yield from collect_pool()

    def _collect_unfinished(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "chatsite_answers_unfinished", "Unfinished answers of all processes, by state.", labels=["state"]
        )
        for state, count in self.unfinished.items():
            family.add_metric([str(state)], count)
        yield family


def collect_pool() -> Iterable[Metric]:
    """Yields the figures of the pool of connections to the database, if there is one."""
    if pool := getattr(connection, "pool", None):
        figures = pool.get_stats()
        for name in POOL_FIGURES:
            yield gauge(f"database_{name}", f"The pool of connections to the database: {name}.", figures.get(name, 0))


def gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"chatsite_{name}", help, value=value)


def counter(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(f"chatsite_{name}", help, value=value)


unfinished = Inquiry(count_unfinished, "metrics")
process_figures = ProcessFigures()
REGISTRY.register(process_figures)
