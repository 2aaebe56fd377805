"""The ASGI application: pages, the gateway and the demo over HTTP, conversations over WebSockets."""

import gc
import os
from http import HTTPStatus
from typing import Any, cast

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django = get_asgi_application()

# These imports need the applications that get_asgi_application has loaded.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.sessions import CookieMiddleware  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import re_path  # noqa: E402

from chatsite.demo import or_demo_upstream  # noqa: E402
from chatsite.monitoring.probes import or_probe  # noqa: E402
from chatsite.process import lifespan  # noqa: E402
from chatsite.process.preloading import preload  # noqa: E402
from chatsite.process.threads import ReusedThreads  # noqa: E402
from chatsite.serving.bodies import limit_size  # noqa: E402
from chatsite.serving.handshakes import HandshakeQueue, refuse, refuse_other_sites  # noqa: E402
from chatsite.serving.headers import add_default_headers  # noqa: E402
from chatsite.serving.pages import PageHandler  # noqa: E402
from chatsite.serving.request_ids import give_request_ids  # noqa: E402
from conversations.urls import websocket_urlpatterns  # noqa: E402
from gateway.serving.application import application as programs  # noqa: E402
from gateway.serving.paths import is_for_programs  # noqa: E402


async def reject(scope: Any, receive: Any, send: Any) -> None:
    """Answers the handshake of a socket at an unknown address."""
    await refuse(scope, send, HTTPStatus.NOT_FOUND)


# Typed for views; Channels takes ASGI applications.
elsewhere = re_path("", cast(Any, reject))
sockets = refuse_other_sites(HandshakeQueue(CookieMiddleware(URLRouter([*websocket_urlpatterns, elsewhere]))))


def in_threads(handler: Any) -> Any:
    return limit_size(ReusedThreads(handler), lambda: settings.REQUEST_SIZE)


pages, static_files = or_demo_upstream(in_threads(PageHandler())), in_threads(django)


async def requests(scope: Any, receive: Any, send: Any) -> None:
    if is_for_programs(scope["path"]):
        await programs(scope, receive, send)
    else:
        await (static_files if scope["path"].startswith(settings.STATIC_URL) else pages)(scope, receive, send)


application = give_request_ids(
    ProtocolTypeRouter(
        {
            "http": add_default_headers(or_probe(requests)),
            "websocket": sockets,
            "lifespan": lifespan.application,
        }
    )
)

preload()

# A full garbage collection stops every relay for 100 ms when many run, so it has to be rare. It cannot wait until the
# server is idle (memory.py), because some servers never are: with these thresholds, one runs about every 700 answers.
# Imported objects stay for good and are left out. Collecting young objects costs next to nothing.
gc.collect()
gc.freeze()
gc.set_threshold(5_000, 10, 10)
