"""Daphne in this process: it says why it cannot listen, and lets what runs come to an end before it stops."""

import asyncio
from typing import Any

from daphne import server
from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings
from django.utils.module_loading import import_string
from twisted.internet.defer import Deferred

from chatsite import shutdown


class Server(server.Server):  # type: ignore[misc]
    fault: OSError | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(
            application=import_string(settings.ASGI_APPLICATION),
            endpoints=build_endpoint_description_strings(host=settings.HOST or "0.0.0.0", port=settings.PORT),  # noqa: S104
            websocket_timeout=-1,
            server_name="chatsite",
            # Daphne would believe the first entry of X-Forwarded-For, which anybody can write; settings.py says whom
            # we believe instead.
            proxy_forwarded_address_header=None,
            **options,
        )
        self.ports: list[Any] = []

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)

    def listen_error(self, failure: Any) -> None:
        self.fault = getattr(failure.value, "socketError", None) or OSError(failure.getErrorMessage())
        self.stop()

    def kill_all_applications(self) -> Deferred[None]:
        """Daphne's last step, put off until what is still running has ended. Nobody new is let in meanwhile."""
        kill = super().kill_all_applications
        for port in self.ports:
            port.stopListening()
        finished = Deferred.fromFuture(asyncio.ensure_future(shutdown.finish(settings.SHUTDOWN_GRACE)))
        return finished.addBoth(lambda _: kill())
