"""Answers load balancers, supervisors and Prometheus, in front of hosts, redirects, sessions and threads of pages."""

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

import orjson

from chatsite.monitoring import metrics, readiness
from chatsite.serving.peers import find_header

type Scope = MutableMapping[str, Any]
type Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type and body."""

TEXT: Final = "text/plain; charset=utf-8"


async def report_health(scope: Scope) -> Answer:
    """200 while the event loop answers."""
    return HTTPStatus.OK, TEXT, b"ok\n"


async def report_readiness(scope: Scope) -> Answer:
    """200 if this process can serve requests, otherwise 503; with a word about each check."""
    checks = await readiness.local.check()
    is_ready = all(finding == readiness.OK for finding in checks.values())
    body = orjson.dumps({"status": "ready" if is_ready else "not ready", "checks": checks})
    return HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body


async def report_metrics(scope: Scope) -> Answer:
    """What Prometheus reads, for those who may."""
    if not metrics.may_read(scope):
        words = "Metrics are served with the token of METRICS_TOKEN or, without one, to private addresses only.\n"
        return HTTPStatus.FORBIDDEN, TEXT, words.encode()
    content_type, body = await metrics.render(find_header(scope, b"accept") or "")
    return HTTPStatus.OK, content_type, body


PROBES: Final[dict[str, Callable[[Scope], Awaitable[Answer]]]] = {
    "/healthz": report_health,
    "/readyz": report_readiness,
    "/metrics": report_metrics,
}


def or_probe(application: Callable[[Scope, Any, Any], Awaitable[None]]) -> Callable[[Scope, Any, Any], Awaitable[None]]:
    """Returns an ASGI application that answers probes itself and sends all other requests to `application`."""

    async def probes_first(scope: Scope, receive: Any, send: Any) -> None:
        if probe := PROBES.get(scope["path"].removesuffix("/")):
            await answer_probe(probe, scope, send)
        else:
            await application(scope, receive, send)

    return probes_first


async def answer_probe(probe: Callable[[Scope], Awaitable[Answer]], scope: Scope, send: Any) -> None:
    if scope["method"] in ("GET", "HEAD"):
        await send_answer(send, await probe(scope), has_body=scope["method"] == "GET")
    else:
        refusal = (HTTPStatus.METHOD_NOT_ALLOWED, TEXT, b"This address only accepts GET.\n")
        await send_answer(send, refusal, allow="GET, HEAD")


async def send_answer(send: Any, answer: Answer, *, has_body: bool = True, **headers: str) -> None:
    status, content_type, body = answer
    own = {"content-type": content_type, "content-length": str(len(body)), "x-content-type-options": "nosniff"}
    pairs = [(name.encode(), value.encode()) for name, value in {**own, **headers}.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body if has_body else b""})
