"""Rate limits: requests a minute, and concurrent answers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from accounts.models import ApiKey, User
from ledger.booking import statements
from ledger.models import Entry, RateLimit
from ledger.payer import Payer, Scope

MINUTE: Final = timedelta(minutes=1)
STREAM_RETRY: Final = 2.0
"""Seconds after which another answer may have ended."""


@dataclass(frozen=True, slots=True)
class LimitHit:
    """A limit that is reached: its concurrent `streams` or, unless `is_of_streams`, its requests a minute."""

    limit: RateLimit
    retry_after: float
    is_of_streams: bool


def find_limit_hit(payer: Payer, at: datetime, *, lock: bool = False, counts_streams: bool = True) -> LimitHit | None:
    """Returns the limit that one more call would exceed, if any. Without `counts_streams`, the call is not an answer.

    With `lock`, no other transaction can check the same payer before this one ends.
    """
    limits = find_limits(payer)
    if lock and limits:
        lock_payer(payer, limits)
    for limit in limits:
        mine: dict[str, Any] = {f"{limit.scope}_id": payer[limit.scope]}
        running = Entry.objects.open().filter(**mine)
        if counts_streams and limit.streams is not None and running.count() >= limit.streams:
            return LimitHit(limit, STREAM_RETRY, is_of_streams=True)
        if limit.requests_a_minute is None:
            continue
        recent = Entry.objects.filter(**mine, started_at__gt=at - MINUTE).order_by("-started_at")
        starts = recent.values_list("started_at", flat=True)
        earliest = starts[limit.requests_a_minute - 1 : limit.requests_a_minute].first()
        if earliest is not None:
            return LimitHit(limit, max(0.1, (earliest + MINUTE - at).total_seconds()), is_of_streams=False)
    return None


def find_limits(payer: Payer) -> list[RateLimit]:
    """The payer's limits, without defaults that the payer's own limit of the same scope overrides."""
    applicable = statements.find_rate_limits(payer)
    own = {each.scope for each in applicable if not each.is_for_each}
    return [each for each in applicable if not each.is_for_each or each.scope not in own]


def lock_payer(payer: Payer, limits: list[RateLimit]) -> None:
    """Locks the payer, because two concurrent transactions could otherwise count the same calls and both pass."""
    scopes = {limit.scope for limit in limits}
    if Scope.PERSON in scopes:
        list(User.objects.select_for_update(no_key=True).filter(pk=payer.person or 0).values_list("pk"))
    if Scope.KEY in scopes:
        list(ApiKey.objects.select_for_update(no_key=True).filter(pk=payer.key or 0).values_list("pk"))
