"""The demo upstream, served beside the pages so that an installation without a key can be tried."""

from typing import Any, Final

from upstreams.catalogue.environment import demo_key
from upstreams.demo.server import DemoUpstream

PREFIX: Final = "/demo-upstream/"


def or_demo_upstream(pages: Any) -> Any:
    """Returns an ASGI application that sends paths under PREFIX to the demo and all others to `pages`."""
    demo = DemoUpstream(demo_key())

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await (demo if scope["path"].startswith(PREFIX) else pages)(scope, receive, send)

    return application
