"""How often and how much at once: limits of requests a minute and of answers at the same time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from accounts.models import ApiKey, User
from ledger.booking import statements
from ledger.models import Entry, RateLimit
from ledger.payer import Payer, Scope

MINUTE: Final = timedelta(minutes=1)
SOON: Final = 2.0
"""Seconds after which it may be worth asking whether another answer has ended."""


@dataclass(frozen=True, slots=True)
class LimitHit:
    """A limit that is reached; `streams` or requests a minute, by which of the two it is."""

    limit: RateLimit
    retry_after: float
    is_of_streams: bool


def excess(payer: Payer, at: datetime, *, holds: bool = False) -> LimitHit | None:
    """The limit that one more call would break, if any.

    With `holds`, in a transaction, nobody else asks for the same payer until it ends.
    """
    limits = in_force(payer)
    if holds and limits:
        hold(limits, payer)
    for limit in limits:
        mine: dict[str, Any] = {f"{limit.scope}_id": payer[limit.scope]}
        if limit.streams is not None and Entry.objects.open().filter(**mine).count() >= limit.streams:
            return LimitHit(limit, SOON, is_of_streams=True)
        if limit.requests_a_minute is None:
            continue
        recent = Entry.objects.filter(**mine, started_at__gt=at - MINUTE).order_by("-started_at")
        calls = recent.values_list("started_at", flat=True)
        earliest = calls[limit.requests_a_minute - 1 : limit.requests_a_minute].first()
        if earliest is not None:
            return LimitHit(limit, max(0.1, (earliest + MINUTE - at).total_seconds()), is_of_streams=False)
    return None


def in_force(payer: Payer) -> list[RateLimit]:
    """Without those for each in whose place one of somebody's own stands."""
    applying = statements.rate_limits(payer)
    own = {each.scope for each in applying if not each.is_for_each}
    return [each for each in applying if not each.is_for_each or each.scope not in own]


def hold(limits: list[RateLimit], payer: Payer) -> None:
    """Where transactions run side by side, two could count the same calls and both go on."""
    scopes = {limit.scope for limit in limits}
    if Scope.PERSON in scopes:
        list(User.objects.select_for_update(no_key=True).filter(pk=payer.person or 0).values_list("pk"))
    if Scope.KEY in scopes:
        list(ApiKey.objects.select_for_update(no_key=True).filter(pk=payer.key or 0).values_list("pk"))
