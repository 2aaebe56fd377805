"""Limits wrong passwords without shutting out the person whose account is being attacked.

Failures count per account and place. A place is the network of the address or, once a person has signed in there, the
browser. Slower limits for a whole account and a whole network apply to places from which the person never signed in.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.timezone import now

BROWSER_COOKIE: Final = "known_browser"
KNOWN_FOR: Final = timedelta(days=90)
"""How long a browser and a network stay known after the person last signed in there."""
KNOWN_NETWORKS: Final = 10
"""The most networks that are remembered of a person."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most failures within a span of time."""

    failures: int
    span: timedelta


PER_PLACE: Final = Limit(5, timedelta(minutes=5))
"""For one account from one place."""
PER_KNOWN_NETWORK: Final = Limit(50, timedelta(hours=1))
"""Instead of PER_PLACE, so that a colleague's five guesses do not shut out a person whose browser is new."""
PER_ACCOUNT: Final = Limit(50, timedelta(hours=1))
"""For one account from everywhere. It stops guesses from many networks."""
PER_NETWORK: Final = Limit(100, timedelta(hours=1))
"""For all accounts from one network. It stops guesses at many accounts."""
_ASCII_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
_LONGEST: Final = max(limit.span for limit in (PER_PLACE, PER_KNOWN_NETWORK, PER_ACCOUNT, PER_NETWORK))


class FailedSignIn(models.Model):
    """A wrong password, or one that is being checked. Unknown usernames count alike. Kept for an hour."""

    account = models.CharField(max_length=64)
    place = models.CharField(max_length=64)
    failed_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["account", "failed_at"], name="failed_sign_ins_of_account"),
            models.Index(fields=["place", "failed_at"], name="failed_sign_ins_from_place"),
        ]

    def __str__(self) -> str:
        return f"at {self.failed_at}"


class KnownNetwork(models.Model):
    """A network from which a person has signed in. Without the site's secret key, the digest does not reveal it."""

    person = models.ForeignKey("accounts.User", models.CASCADE, related_name="known_networks")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["person", "digest"], name="known_network_once")]

    def __str__(self) -> str:
        return f"of {self.person}"


class SignInAttempt:
    """One attempt to prove, from the place of a request, that an account is one's own."""

    def __init__(self, request: HttpRequest, username: str) -> None:
        self._username = username
        self._account = _digest_account(username)
        self._network = _digest_network(request)
        self._browser = request.get_signed_cookie(BROWSER_COOKIE, default="", salt=self._account, max_age=KNOWN_FOR)
        self._place = _digest("browser", self._browser) if self._browser else self._network

    def begin(self) -> timedelta | None:
        """Counts the attempt as a failure until it succeeds. If there were too many, returns the time to wait instead.

        Attempts that must wait are not counted, so nobody can prolong the wait. Each attempt is counted before its
        password is checked, because many may arrive at once.
        """
        limits = list(self._find_limits())
        if wait := _find_wait(limits):
            return wait
        FailedSignIn.objects.filter(failed_at__lt=now() - _LONGEST).delete()
        counted = FailedSignIn.objects.create(account=self._account, place=self._place, failed_at=now())
        if wait := _find_wait(limits, allowance=1):
            counted.delete()
        return wait

    def succeed(self) -> None:
        """Forgets the failures of the account from this place."""
        FailedSignIn.objects.filter(account=self._account, place=self._place).delete()

    def _find_limits(self) -> Iterator[tuple[Limit, Q]]:
        """Yields the limits that apply, each with a filter for the failures that count."""
        here = Q(account=self._account, place=self._place)
        if self._browser:
            yield PER_PLACE, here
        elif self._is_network_known():
            yield PER_KNOWN_NETWORK, here
        else:
            yield PER_PLACE, here
            yield PER_ACCOUNT, Q(account=self._account)
            yield PER_NETWORK, Q(place=self._network)

    def _is_network_known(self) -> bool:
        # A single query, whether the username exists or not: two would tell by the time they take.
        return KnownNetwork.objects.filter(
            person__username__iexact=self._username, digest=self._network, used_at__gt=now() - KNOWN_FOR
        ).exists()


def remember_place(request: HttpRequest, response: HttpResponse, person: Any) -> None:
    """Remembers the browser, in a cookie, and the network from which the person has just signed in."""
    known = KnownNetwork.objects.filter(person=person)
    known.update_or_create(person=person, digest=_digest_network(request), defaults={"used_at": now()})
    newest = known.order_by("-used_at", "-pk").values_list("pk", flat=True)[:KNOWN_NETWORKS]
    known.exclude(pk__in=list(newest)).delete()
    known.filter(used_at__lt=now() - KNOWN_FOR).delete()
    response.set_signed_cookie(
        BROWSER_COOKIE,
        get_random_string(22),
        salt=_digest_account(person.get_username()),
        max_age=KNOWN_FOR,
        path=reverse("account"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def forget_failures(username: str) -> None:
    """Lets the person try again from anywhere, for example with a new password from an administrator."""
    FailedSignIn.objects.filter(account=_digest_account(username)).delete()


def describe_wait(wait: timedelta) -> str:
    """5 minutes, 40 seconds."""
    seconds = max(1, round(wait.total_seconds()))
    count, unit = (seconds, "second") if seconds < 60 else (-(-seconds // 60), "minute")
    return f"{count} {unit}" + ("" if count == 1 else "s")


def _find_wait(limits: list[tuple[Limit, Q]], *, allowance: int = 0) -> timedelta | None:
    """Returns the time until all limits allow another failure. None if they do so now."""
    moment = now()
    waits = []
    for limit, counted in limits:
        recent = FailedSignIn.objects.filter(counted, failed_at__gt=moment - limit.span).order_by("-failed_at")
        # Once the last of these has left the span, there is room for another failure.
        last = limit.failures + allowance - 1
        for failed_at in recent.values_list("failed_at", flat=True)[last : last + 1]:
            waits.append(failed_at + limit.span - moment)
    return max(waits, default=None)


def _digest_account(username: str) -> str:
    # As tolerant as signing in, which normalises to NFKC like Django. If it were more tolerant, one account would lift
    # the limits of another: SQLite ignores only the case of ASCII letters, so "Äda" and "äda" can be two people.
    name = unicodedata.normalize("NFKC", username.strip())
    if connection.vendor == "sqlite":
        name = name.translate(_ASCII_LOWER)
    else:
        name = unicodedata.normalize("NFKC", name.lower()).casefold()
    return _digest("account", name)


def _digest_network(request: HttpRequest) -> str:
    return _digest("network", find_network(get_adapter().get_client_ip(request)))


def find_network(address: str) -> str:
    """Returns the /64 of an IPv6 address, all of which one person may have, or the IPv4 address itself."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        mapped = ip.ipv4_mapped
        return str(mapped or IPv6Network((int(ip), 64), strict=False))
    return str(ip)


def _digest(kind: str, value: str) -> str:
    return salted_hmac(f"accounts.throttling.{kind}", value, algorithm="sha256").hexdigest()
