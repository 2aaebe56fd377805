"""Answers load balancers and supervisors, in front of hosts, redirects, sessions and threads of pages."""

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

import orjson

from chatsite.monitoring import readiness

type Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
type Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type and body."""

TEXT: Final = "text/plain; charset=utf-8"


async def report_health() -> Answer:
    """200 while the event loop answers."""
    return HTTPStatus.OK, TEXT, b"ok\n"


async def report_readiness() -> Answer:
    """200 if this process can serve requests, otherwise 503; with a word about each check."""
    checks = await readiness.local.check()
    is_ready = all(finding == readiness.OK for finding in checks.values())
    body = orjson.dumps({"status": "ready" if is_ready else "not ready", "checks": checks})
    return HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body


PROBES: Final[dict[str, Callable[[], Awaitable[Answer]]]] = {"/healthz": report_health, "/readyz": report_readiness}


def or_probe(application: Application) -> Application:
    """Returns an ASGI application that answers probes itself and sends all other requests to `application`."""

    async def probes_first(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if probe := PROBES.get(scope["path"].removesuffix("/")):
            await answer_probe(probe, scope["method"], send)
        else:
            await application(scope, receive, send)

    return probes_first


async def answer_probe(probe: Callable[[], Awaitable[Answer]], method: str, send: Any) -> None:
    if method in ("GET", "HEAD"):
        await send_answer(send, await probe(), has_body=method == "GET")
    else:
        refusal = (HTTPStatus.METHOD_NOT_ALLOWED, TEXT, b"This address only accepts GET.\n")
        await send_answer(send, refusal, allow="GET, HEAD")


async def send_answer(send: Any, answer: Answer, *, has_body: bool = True, **headers: str) -> None:
    status, content_type, body = answer
    own = {"content-type": content_type, "content-length": str(len(body)), "x-content-type-options": "nosniff"}
    pairs = [(name.encode(), value.encode()) for name, value in {**own, **headers}.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body if has_body else b""})
