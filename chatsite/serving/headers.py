"""Headers that every response has, whichever part of the site sends it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

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


def add_default_headers(application: Application) -> Application:
    """Wraps the application so that its responses have these headers, unless they have their own."""

    async def with_headers(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ())]
                given = {name.lower() for name, _ in headers}
                headers += [header for header in DEFAULTS.items() if header[0] not in given]
                message = {**message, "headers": headers}
            await send(message)

        await application(scope, receive, send_with_headers)

    return with_headers
