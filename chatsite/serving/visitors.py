"""Counts connections and request bodies: how many of each a stranger may have, and how much space people may fill."""

import ipaddress
from collections import Counter
from typing import Any

from django.conf import settings

type Connection = Any
"""A connection of chatsite.http."""


def read_network(address: str) -> str:
    """Returns the network that one party controls: an IPv4 address itself, the first 64 bits of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Strangers:
    """Connections on which nobody has signed in, as far as the server knows. The least active come first."""

    def __init__(self) -> None:
        self._networks: dict[Connection, str] = {}
        self._sizes: Counter[str] = Counter()

    def add(self, connection: Connection, network: str) -> None:
        """Adds the connection as the most active one. An empty network is a proxy's, and has no limit of its own."""
        self.remove(connection)
        self._networks[connection] = network
        self._sizes[network] += 1

    def remove(self, connection: Connection) -> None:
        network = self._networks.pop(connection, None)
        if network is None:
            return
        self._sizes[network] -= 1
        if not self._sizes[network]:
            del self._sizes[network]

    def touch(self, connection: Connection) -> None:
        """Notes that the connection was active just now."""
        if (network := self._networks.pop(connection, None)) is not None:
            self._networks[connection] = network

    def make_room(self, newcomer: Connection) -> bool:
        """Returns whether the newcomer is within both limits, once the least active connections have made way.

        A connection makes way unless the site is working on its request.
        """
        network = self._networks.get(newcomer)
        if network is None:
            return True
        is_crowded = bool(network) and self._sizes[network] > settings.CONNECTIONS_PER_ADDRESS
        if is_crowded and not self._close_one(newcomer, network):
            return False
        return len(self._networks) <= settings.CONNECTIONS_OF_STRANGERS or self._close_one(newcomer)

    def _close_one(self, newcomer: Connection, network: str | None = None) -> bool:
        for connection, origin in self._networks.items():
            if connection is not newcomer and network in (None, origin) and connection.can_make_way:
                self.remove(connection)
                connection.make_way()
                return True
        return False


class UploadSpace:
    """The bytes of request bodies that are on their way or in use, in all and for each person."""

    def __init__(self) -> None:
        self._taken: Counter[int] = Counter()
        self._total = 0

    def take(self, person: int, size: int) -> bool:
        """Takes the space, if the person and the site have that much left. Returns whether it did."""
        # One request of the largest size must be possible.
        largest = max(settings.REQUEST_SIZE, settings.GATEWAY_BODY_SIZE)
        has_own = self._taken[person] + size <= max(settings.UPLOADS_PER_PERSON, largest)
        if not has_own or self._total + size > max(settings.UPLOADS_AT_ONCE, largest):
            return False
        self._taken[person] += size
        self._total += size
        return True

    def free(self, person: int, size: int) -> None:
        self._total -= size
        self._taken[person] -= size
        if not self._taken[person]:
            del self._taken[person]
