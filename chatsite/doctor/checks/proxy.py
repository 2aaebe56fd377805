"""The headers of a proxy, as they arrive with a request."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

from chatsite.doctor.findings import Diagnosis, broken, look_at, ok
from chatsite.serving.origins import Origin, find_own_origin, is_from_own_page
from chatsite.serving.peers import PROXY_HEADERS, find_client, find_header

SHOWN: Final = ("host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded", "via")
NGINX: Final = "docs/nginx.conf shows how."


def list_headers(request: HttpRequest) -> list[tuple[str, str]]:
    """The headers that a proxy sets, and what chatsite takes from them."""
    scope = read_scope(request)
    sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    # A proxy may have added a second header of the same name.
    arrived = [(name.title(), value) for shown in SHOWN for name, value in sent if name.lower() == shown]
    derived = [("Scheme", request.scheme or ""), ("Address of the client", find_client(scope) or "unknown")]
    return arrived + derived


def check_request(request: HttpRequest) -> Iterator[Diagnosis]:
    headers = {name for name, _ in read_scope(request)["headers"]}
    if not settings.BEHIND_PROXY and headers.intersection(PROXY_HEADERS):
        yield look_at(
            "This request came through a proxy, and BEHIND_PROXY is off: everybody seems to come from the proxy’s "
            "address, so one person’s wrong passwords may slow down all.",
            "Set BEHIND_PROXY=true, and let only the proxy reach the site.",
        )
    elif settings.BEHIND_PROXY:
        yield from check_forwarding(request)
    else:
        yield ok("This request came without a proxy.")
    if not settings.HTTPS and find_browser_scheme(request) == "https":
        yield look_at(
            "The browser uses HTTPS, and HTTPS is off: cookies may also be sent without encryption.",
            "Set HTTPS=true.",
        )
    forwarded_host = find_header(read_scope(request), b"x-forwarded-host")
    if forwarded_host and forwarded_host != find_header(read_scope(request), b"host"):
        yield look_at(
            f"The proxy passes Host as {find_header(read_scope(request), b'host')}, and people use {forwarded_host}.",
            f"Let the proxy pass Host unchanged. {NGINX}",
        )


def check_forwarding(request: HttpRequest) -> Iterator[Diagnosis]:
    scope = read_scope(request)
    forwarded, scheme = find_header(scope, b"x-forwarded-for"), find_header(scope, b"x-forwarded-proto")
    if forwarded is None:
        yield look_at(
            "BEHIND_PROXY is on, and X-Forwarded-For is missing: everybody seems to come from the proxy’s address.",
            f"Let the proxy append the client’s address to X-Forwarded-For. {NGINX}",
        )
    elif not is_address(find_client(scope)):
        yield look_at(
            f"The last entry of X-Forwarded-For, “{find_client(scope)[:60]}”, is not an IP address.",
            f"Let the proxy append the client’s address to X-Forwarded-For. {NGINX}",
        )
    elif "," in forwarded and is_private(find_client(scope)):
        yield look_at(
            f"The last address in X-Forwarded-For is {find_client(scope)}, a private one. With two proxies, it is that "
            "of the first proxy, and everybody behind it seems to be one.",
            "Let only one proxy append to X-Forwarded-For, or the last one set it to the client’s address.",
        )
    if scheme is None:
        yield look_at(
            "BEHIND_PROXY is on, and X-Forwarded-Proto is missing: chatsite takes every request for one without TLS.",
            f"Let the proxy set X-Forwarded-Proto. {NGINX}",
        )
    if forwarded is not None and scheme is not None:
        yield ok("The proxy names the client and the scheme.")


def check_socket(request: HttpRequest, origin: str) -> Diagnosis:
    """Explains why a WebSocket from a page of `origin` did not open, although this request arrived."""
    scope = read_scope(request)
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"origin"]
    scope["headers"].append((b"origin", origin.encode("latin-1", "replace")))
    if is_from_own_page({**scope, "type": "websocket", "scheme": scope.get("scheme", "http").replace("http", "ws")}):
        return broken(
            "The WebSocket did not open, although pages arrive: the proxy does not pass it on.",
            "Let the proxy pass the headers Upgrade and Connection with HTTP/1.1, and wait for an hour or longer. "
            f"{NGINX}",
        )
    own = find_own_origin(scope)
    ours = f"{own.scheme}://{own.host}:{own.port}" if own else "an unknown name"
    theirs = origin if Origin.parse(origin) else "an unknown address"
    return broken(
        f"chatsite refused the WebSocket: the browser is at {theirs}, and the request arrived for {ours}.",
        "Let the proxy pass Host unchanged and set X-Forwarded-Proto, with BEHIND_PROXY=true, or add the browser’s "
        "address to CSRF_TRUSTED_ORIGINS.",
    )


def find_browser_scheme(request: HttpRequest) -> str:
    """The scheme that the browser used, as far as headers tell: those of a proxy that is not trusted may be wrong."""
    forwarded = find_header(read_scope(request), b"x-forwarded-proto") or request.scheme or ""
    return forwarded.partition(",")[0].strip().lower()


def read_scope(request: HttpRequest) -> dict[str, Any]:
    """Returns the ASGI scope, or one made of a request that came another way, as Django's test client sends them."""
    scope: Mapping[str, Any] | None = getattr(request, "scope", None)
    if scope:
        return dict(scope)
    headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in request.headers.items()]
    server = (request.META["SERVER_NAME"], request.META["SERVER_PORT"])
    return {"path": request.path, "headers": headers, "client": (request.META["REMOTE_ADDR"], 0), "server": server}


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_private(text: str) -> bool:
    return is_address(text) and ip_address(text).is_private
