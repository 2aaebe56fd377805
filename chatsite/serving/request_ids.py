"""Gives every request and socket an id, which its response and its events in the log have."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from django.conf import settings

from chatsite.logs.request_ids import is_acceptable, keep_request_id, make_request_id, set_request_id
from chatsite.serving.peers import find_header

type Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

HEADER: Final = b"x-request-id"


def give_request_ids(application: Application) -> Application:
    """Wraps the application so that what runs for a request can tell its id."""

    async def with_id(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            set_request_id(choose_request_id(scope))
        try:
            await application(scope, receive, send)
        except Exception as error:
            keep_request_id(error)
            raise

    return with_id


def choose_request_id(scope: MutableMapping[str, Any]) -> str:
    """Returns the proxy's id for the request if we trust the proxy, and otherwise a new one."""
    given = find_header(scope, HEADER) if settings.BEHIND_PROXY else None
    return given if given and is_acceptable(given) else make_request_id()
