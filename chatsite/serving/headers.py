"""Headers that every response has, whichever part of the site sends it."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from chatsite.logs.request_ids import get_request_id
from chatsite.serving import internal_errors
from chatsite.serving.request_ids import HEADER

type Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

_DENIED: Final = (
    *("accelerometer", "autoplay", "camera", "cross-origin-isolated", "display-capture"),
    *("encrypted-media", "fullscreen", "gamepad", "geolocation", "gyroscope", "hid", "idle-detection"),
    *("keyboard-map", "local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "sync-xhr", "usb"),
    *("window-management", "xr-spatial-tracking"),
)
# The site's own pages may use the clipboard; the browser still asks the person before a page reads it.
_OWN: Final = ("clipboard-read", "clipboard-write")
PERMISSIONS: Final = ", ".join([*(f"{name}=()" for name in _DENIED), *(f"{name}=(self)" for name in _OWN)])
# Without a word from the view, a page belongs to one person: the back button must not show it after they sign out.
DEFAULTS: Final = {b"permissions-policy": PERMISSIONS.encode(), b"cache-control": b"private, no-store"}

logger = logging.getLogger(__name__)


def add_default_headers(application: Application) -> Application:
    """Wraps the application so that its responses have these headers, unless they have their own.

    A request that fails before its response begins gets the page for internal errors.
    """

    async def with_headers(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        has_begun = False

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = [*message.get("headers", ())]
                given = {name.lower() for name, _ in headers}
                defaults = [*DEFAULTS.items(), (HEADER, get_request_id().encode())]
                headers += [header for header in defaults if header[0] not in given]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await application(scope, receive, send_with_headers)
        except Exception:
            if has_begun:
                raise
            logger.exception("A request failed outside of its view")
            await internal_errors.send_page(send_with_headers)

    return with_headers
