"""Prometheus reads what a process does; strangers read nothing, and nobody reads names."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from chatsite.monitoring.metrics import POOL_FIGURES, encode, may_read
from conversations.live.hub import Frame, Hub, Viewer
from tests.fakes import ModelServer
from tests.installation import Installation

LOCAL, FAR = "127.0.0.1", "8.8.8.8"


def scope(client: str, **headers: str) -> dict[str, Any]:
    named = {"host": "127.0.0.1:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {"client": (client, 5000), "headers": [(name.encode(), value.encode()) for name, value in named.items()]}


@pytest.mark.parametrize(
    ("client", "is_allowed"),
    [
        *[(LOCAL, True), ("::1", True), ("10.1.2.3", True), ("192.168.0.9", True), ("fd00::7", True)],
        *[("::ffff:10.0.0.1", True), ("fe80::1%eth0", True)],
        *[(FAR, False), ("::ffff:8.8.8.8", False), ("2606:4700::1", False), ("0.0.0.0", False), ("", False)],
        ("not an address", False),
    ],
)
def test_without_a_token_only_private_addresses_read(settings: Any, client: str, is_allowed: bool) -> None:
    settings.METRICS_TOKEN = ""
    assert may_read(scope(client)) is is_allowed


@pytest.mark.parametrize(
    ("forwarded", "is_allowed"),
    [("10.0.0.1", True), (f"{FAR}, 10.0.0.1", True), (f"10.0.0.1, {FAR}", False), ("", False), ("unknown", False)],
)
def test_behind_a_proxy_its_last_word_counts(settings: Any, forwarded: str, is_allowed: bool) -> None:
    settings.BEHIND_PROXY = True
    assert may_read(scope(LOCAL, x_forwarded_for=forwarded)) is is_allowed
    assert may_read(scope(LOCAL))


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_forwarded_proto", "forwarded", "via", "x_real_ip"])
def test_a_proxy_that_is_not_trusted_makes_nobody_private(settings: Any, header: str) -> None:
    assert not may_read(scope(LOCAL, **{header: "10.0.0.1"}))
    if header != "x_forwarded_for":
        settings.BEHIND_PROXY = True
        assert not may_read(scope(LOCAL, **{header: "10.0.0.1"}))


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [("10.0.0.7:8000", True), ("[::1]:8000", True), ("localhost", True), ("rebound.example", False), ("", False)],
)
def test_a_page_whose_name_leads_here_reads_nothing(host: str, is_allowed: bool) -> None:
    assert may_read(scope(LOCAL, host=host)) is is_allowed


@pytest.mark.parametrize(
    ("header", "is_allowed"),
    [
        *[("Bearer s3cret-ü", True), ("bearer  s3cret-ü", True)],
        *[("Bearer s3cret", False), ("Basic s3cret-ü", False), ("s3cret-ü", False), ("Bearer", False), ("", False)],
    ],
)
def test_with_a_token_only_its_bearers_read_from_anywhere(settings: Any, header: str, is_allowed: bool) -> None:
    settings.METRICS_TOKEN = "s3cret-ü".encode().decode("latin-1")
    for client in (LOCAL, FAR):
        assert may_read(scope(client, host="any.example", authorization=header)) is is_allowed


@pytest.mark.parametrize(
    "accept",
    [
        *("", "text/plain", "x" * 10_000, "\xff", ";", "application/openmetrics-text"),
        *(f"{kind};{rest}" for kind in ("application/openmetrics-text", "text/plain") for rest in (
            *("version=1.0.0", "version=abc", "version=", "version", "version=99.9.9;escaping=odd", "version=-1"),
            *("version=1.0.0.0.0", "version=1.0.0;escaping=values", "version=1.0.0;escaping=", "=", "version=\u00b2"),
        )),
    ],
)  # fmt: skip
def test_whatever_format_a_client_asks_for_it_gets_one(accept: str) -> None:
    content_type, body = encode(accept)
    assert content_type.startswith(("text/plain;", "application/openmetrics-text;"))
    assert b"chatsite_viewers" in body


def test_a_viewer_that_is_too_slow_is_counted() -> None:
    viewer, before = Viewer(["tea"], queue_length=2), Viewer.drops
    for _ in range(5):
        viewer.offer(Frame("x"))
    assert Viewer.drops - before == 2


async def test_the_hub_counts_its_viewers_and_frames_once() -> None:
    hub = Hub()
    hub.join("tea", "milk")
    leaving = hub.join("tea")
    hub.publish("tea", Frame("x"))
    hub.publish("coffee", Frame("x"))
    assert (hub.count_viewers(), hub.delivered) == (2, 1)
    hub.leave(leaving)
    assert hub.count_viewers() == 1


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer("anthropic") as running:
        yield running


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, server: ModelServer) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("site"), server) as running:
        yield running


def read(installation: Installation, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = httpx.get(f"{installation.site.url}/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"chatsite_{name}", frozenset(labels.items())


def test_an_answer_is_counted_from_its_first_token_to_its_booking(
    installation: Installation, server: ModelServer
) -> None:
    server.forget()
    server.say("Hello ", "there.")
    installation.until_settled(installation.ask())
    figures: Mapping[Any, float] = {}
    while not figures.get(key("calls_total", source="conversation", outcome="complete")):
        figures = read(installation)
    assert figures[key("answers_ended_total", state="complete")] == 1
    assert figures[key("first_token_seconds_count", source="conversation")] == 1
    assert figures[key("tokens_total", source="conversation", kind="output")] > 0
    assert figures[key("answers_running")] == figures[key("answers_unfinished", state="queued")] == 0
    for name in ("viewers", "frames_total", "queue_drops_total", "program_calls_running", "save_seconds_count"):
        assert key(name) in figures, name
    assert figures[key("loop_delay_seconds_count")] > 0
    values = {value for (name, labels) in figures if name.startswith("chatsite") for _, value in labels}
    allowed = {"conversation", "gateway", "count", "complete", "input", "output", "cache_read", "cache_write"}
    assert {value for value in values if not value.replace(".", "").isdigit()} - {"+Inf"} <= allowed | {
        *("queued", "running", "waiting")
    }


def test_an_upstreams_failures_are_counted_by_kind(installation: Installation, server: ModelServer) -> None:
    server.forget()
    server.refuse(401)
    installation.until_settled(installation.ask())
    assert read(installation)[key("upstream_errors_total", kind="authentication")] == 1


def test_a_stranger_behind_a_proxy_is_refused(installation: Installation) -> None:
    answer = httpx.get(f"{installation.site.url}/metrics", headers={"x-forwarded-for": FAR})
    assert answer.status_code == 403
    assert "chatsite_" not in answer.text


def test_the_dashboard_names_only_metrics_that_exist(installation: Installation) -> None:
    dashboard = (settings.BASE_DIR / "docs" / "grafana.json").read_text()
    named = set(re.findall(r"\b(?:chatsite|process)_\w+", "\n".join(find_expressions(json.loads(dashboard)))))
    text = httpx.get(f"{installation.site.url}/metrics").text
    known = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    known |= {f"{name}_bucket" for name in known}
    # These need Redis and PostgreSQL.
    elsewhere = {"chatsite_bus_lag_seconds"} | {f"chatsite_database_{name}" for name in POOL_FIGURES}
    assert named and named <= known | elsewhere, named - known - elsewhere


def find_expressions(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
