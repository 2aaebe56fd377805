"""The page for a request that fails by a fault of the site. It needs neither the database nor a session."""

from http import HTTPStatus
from typing import Any

from django.template.loader import render_to_string

from chatsite.logs.request_ids import get_request_id


def render_page() -> str:
    return render_to_string("500.html", {"reference": get_request_id()})


async def send_page(send: Any) -> None:
    """Sends the page as an ASGI application does."""
    page = render_page().encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(page))]
    await send({"type": "http.response.start", "status": HTTPStatus.INTERNAL_SERVER_ERROR.value, "headers": headers})
    await send({"type": "http.response.body", "body": page})
