"""The one way in which calls to upstreams are booked: begun with a reservation, settled with what they came to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import ApiKey, User
from ledger.booking import budgets, rates, refusals, rollups, statements
from ledger.booking.meter import Meter
from ledger.models import CallSource, Entry, Outcome
from ledger.models.money import amount, units
from ledger.payer import Payer, group_of
from upstreams.chat import DEFAULT_MAX_TOKENS
from upstreams.events import Usage
from upstreams.models import USAGE_FIELDS, ChatModel

__all__ = [
    "Caller",
    "Outcome",
    "CallRefused",
    "CallSource",
    "begin",
    "recover",
    "refusal_for",
    "settle",
    "warnings_for",
]

KEY_USE: Final = timedelta(minutes=1)
"""How exactly it is known when a key was last used: so seldom is it written down."""
HELD: Final = 5.0
"""Seconds after which what is held for others may have been let go."""
READ_ANYWAY: Final = ("stalled", "broken_stream", "empty_reply", "reply_too_large")
"""Failures of upstreams that had the whole prompt, and will have charged for it."""
SETTLED: Final = (
    *USAGE_FIELDS,
    *("is_estimate", "cost", "upstream_id", "outcome", "error_kind", "seconds_to_first", "seconds"),
)


@dataclass(frozen=True)
class Caller:
    """Who calls: `request_id` is our own name for the request."""

    person: User | None
    source: CallSource
    request_id: str = ""
    key: ApiKey | None = None


class CallRefused(Exception):
    """The call may not be made. `str(error)` is for people: which limit, how much of how much, until when."""

    def __init__(
        self, message: str, *, kind: str, retry_after: float | None = None, renews_at: datetime | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        """over_budget or rate_limited."""
        self.retry_after = retry_after
        """Seconds."""
        self.renews_at = renews_at

    @classmethod
    def over_budget(cls, standing: budgets.BudgetStatus, at: datetime) -> "CallRefused":
        wait = (standing.renews_at - at).total_seconds() if standing.is_spent else HELD
        return cls(refusals.used_up(standing), kind="over_budget", retry_after=wait, renews_at=standing.renews_at)

    @classmethod
    def rate_limited(cls, excess: rates.LimitHit) -> "CallRefused":
        return cls(refusals.too_many(excess), kind="rate_limited", retry_after=excess.retry_after)


def begin(
    caller: Caller,
    chat_model: ChatModel,
    *,
    prompt_tokens: int,
    max_tokens: int | None,
    is_follow_up: Callable[[], bool] = lambda: False,
) -> Entry:
    """Books a call that is about to be made and reserves its maximum. Raises CallRefused when a limit forbids it.

    `max_tokens` is the limit in the request, None without one. `is_follow_up` is asked only when a rate limit is hit:
    a call that continues an answer may exceed it.
    """
    with transaction.atomic():
        payer, entry = opened(caller, chat_model)
        if (excess := rates.excess(payer, entry.started_at, holds=True)) and not is_follow_up():
            raise CallRefused.rate_limited(excess)
        answer = max_tokens or chat_model.max_output_tokens or DEFAULT_MAX_TOKENS
        entry.prompt_estimate = prompt_tokens
        entry.reserved_tokens = prompt_tokens + answer
        entry.reserved_cost = highest_cost(chat_model, prompt_tokens, answer)
        if standing := budgets.reserve(entry, payer):
            raise CallRefused.over_budget(standing, entry.started_at)
        statements.begin(entry)
        if caller.key:
            note_use(caller.key, entry.started_at)
        return entry


def settle(entry: Entry, meter: Meter, outcome: Outcome, error_kind: str = "") -> None:
    """Books what a call came to and lets go of what was held for it; harmless when that was done before."""
    book(entry, meter, outcome, error_kind, seconds=max(0.0, (now() - entry.started_at).total_seconds()))


def refusal_for(person: User | None, key: ApiKey | None = None) -> CallRefused | None:
    """Why the person's next call would be refused, as far as that can be known before; writes nothing."""
    payer, at = Payer.of(person, key), now()
    if excess := rates.excess(payer, at):
        return CallRefused.rate_limited(excess)
    used_up = [standing for standing in budgets.standings(payer, at) if standing.is_used_up]
    return CallRefused.over_budget(used_up[0], at) if used_up else None


def warnings_for(person: User | None, key: ApiKey | None = None) -> list[str]:
    """A sentence for each budget that is nearly used up."""
    standings = budgets.standings(Payer.of(person, key), now())
    return [refusals.nearly_used_up(standing) for standing in standings if standing.is_nearly_used_up]


def recover(written: Mapping[int, int] | None = None, before: datetime | None = None) -> None:
    """Settles the open entries of processes that died, as estimates. After a start, those are all open entries.

    Later, pass `before` for those that began earlier, or `written`: the tokens known to be written, by entry key.
    """
    left = Entry.objects.open()
    if written is not None:
        left = left.filter(pk__in=written)
    if before is not None:
        left = left.filter(started_at__lt=before)
    for entry in left.select_related("chat_model").order_by("pk"):
        meter = Meter(max(1, entry.prompt_estimate))
        meter.assume((written or {}).get(entry.pk, 0))
        book(entry, meter, Outcome.LOST, seconds=None)


def opened(caller: Caller, chat_model: ChatModel) -> tuple[Payer, Entry]:
    person, key, group = caller.person, caller.key, group_of(caller.person)
    entry = Entry(
        **{"person": person, "key": key, "group": group, "chat_model": chat_model},
        **{"person_name": str(person or "")[:150], "key_name": str(key or ""), "group_name": str(group or "")},
        model_name=str(chat_model),
        provider_name=chat_model.provider.name,
        source=caller.source,
        request_id=caller.request_id[:80],
        started_at=now(),
    )
    return Payer(entry.person_id, entry.group_id, entry.key_id), entry


def highest_cost(chat_model: ChatModel, prompt_tokens: int, answer: int) -> Decimal:
    """What a call costs that reads and writes all that it may; nothing where no prices are known."""
    as_read = chat_model.cost(Usage(prompt_tokens, answer))
    as_cached = chat_model.cost(Usage(0, answer, cache_write_tokens=prompt_tokens))
    return max(as_read or Decimal(0), as_cached or Decimal(0))


def note_use(key: ApiKey, at: datetime) -> None:
    if key.last_used_at is None or key.last_used_at < at - KEY_USE:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=at)
        ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=at)
        key.last_used_at = at


@transaction.atomic
def book(entry: Entry, meter: Meter, outcome: Outcome, error_kind: str = "", *, seconds: float | None) -> None:
    # Whoever else settles it at the same moment waits here, and finds it settled.
    if not statements.hold(entry.pk):
        return
    entry.outcome, entry.error_kind = outcome, error_kind[:40]
    entry.upstream_id = meter.facts.id[:200]
    entry.seconds_to_first, entry.seconds = meter.seconds_to_first, seconds
    entry.usage, entry.is_estimate = figures(meter, outcome, error_kind)
    cost = entry.chat_model.cost(entry.usage) if entry.chat_model else None
    entry.cost = None if cost is None else amount(units(cost))
    # The spendings come first: one that is made only now is summed while the entry still counts as open.
    budgets.settle(entry, Payer(entry.person_id, entry.group_id, entry.key_id))
    rollups.add(entry)
    # Not saved: those whom it was of may be gone, and only what it came to is news.
    statements.change(entry.pk, {name: getattr(entry, name) for name in SETTLED})


def figures(meter: Meter, outcome: Outcome, error_kind: str) -> tuple[Usage, bool]:
    """The tokens of a call, and whether they are estimated."""
    is_refused = outcome == Outcome.FAILED and error_kind not in READ_ANYWAY
    if is_refused and not meter.has_begun:
        # Nobody charges for what was turned down at the door.
        return Usage(0, 0) + meter.abandoned, meter.abandoned != Usage()
    return meter.usage, meter.is_estimate
