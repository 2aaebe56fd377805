"""Finds out from which address a request comes."""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http.request import split_domain_port, validate_host

PROXY_HEADERS: Final = (
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
    b"forwarded",
    b"via",
)


def find_client(scope: Mapping[str, Any]) -> str:
    """Returns the address of the client. Behind a proxy, the proxy's word counts, which is the last one.

    Returns "" if the address is unknown.
    """
    forwarded = find_header(scope, b"x-forwarded-for")
    if settings.BEHIND_PROXY and forwarded is not None:
        return forwarded.rpartition(",")[2].strip()
    client = scope.get("client")
    return str(client[0]) if client else ""


def is_nearby(scope: Mapping[str, Any]) -> bool:
    """Whether the client is on this machine or in a private network, and surely no stranger behind a proxy."""
    names = {name.lower() for name, _ in scope["headers"]}
    trusted = settings.BEHIND_PROXY and b"x-forwarded-for" in names
    if not trusted and names.intersection(PROXY_HEADERS):
        return False
    try:
        address = ipaddress.ip_address(find_client(scope).partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_private and not address.is_unspecified


def has_known_host(scope: Mapping[str, Any]) -> bool:
    """Whether the request names the site by an address or one of its names.

    Otherwise, a web page whose name resolves to this machine could read the answer in the browser of somebody nearby.
    """
    host, _ = split_domain_port(find_header(scope, b"host") or "")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return bool(host) and validate_host(host, settings.ALLOWED_HOSTS)
    return True


def find_header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """Returns the last value of the header, if there is one."""
    values: list[bytes] = [value for each, value in scope["headers"] if each.lower() == name]
    return values[-1].decode("latin-1").strip() if values else None
