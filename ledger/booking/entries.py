"""Books calls to upstreams: `begin` reserves, `settle` records the usage. No other code does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import ApiKey, User
from chatsite.process import lease
from ledger.booking import budgets, rates, refusals, rollups, statements
from ledger.booking.meter import Meter
from ledger.booking.metrics import count_call
from ledger.models import CallSource, Entry, Outcome
from ledger.models.money import round_to_units
from ledger.payer import Payer, find_group
from upstreams.chat import DEFAULT_MAX_TOKENS
from upstreams.events import Usage
from upstreams.models import ChatModel

__all__ = [
    "CallRefused",
    "CallSource",
    "Caller",
    "Outcome",
    "begin",
    "book_count",
    "find_refusal",
    "list_warnings",
    "recover",
    "settle",
]

KEY_USE_PRECISION: Final = timedelta(minutes=1)
"""How often the last use of a key is written, at most."""
RESERVED_RETRY: Final = 5.0
"""Seconds after which running calls may have released some of their reservations."""
CHARGED_FAILURES: Final = ("stalled", "broken_stream", "empty_reply", "reply_too_large")
"""Failures after which the upstream charges for the prompt, because it has read all of it."""


@dataclass(frozen=True)
class Caller:
    """The person or program that makes a call. `request_id` is our name for the request."""

    person: User | None
    source: CallSource
    request_id: str = ""
    key: ApiKey | None = None


class CallRefused(Exception):
    """A budget or a rate limit forbids the call. `str(error)` tells people which one, and when to try again."""

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
    def over_budget(cls, status: budgets.BudgetStatus, at: datetime) -> "CallRefused":
        wait = (status.renews_at - at).total_seconds() if status.is_spent else RESERVED_RETRY
        message = refusals.describe_exhausted(status)
        return cls(message, kind="over_budget", retry_after=wait, renews_at=status.renews_at)

    @classmethod
    def rate_limited(cls, hit: rates.LimitHit) -> "CallRefused":
        return cls(refusals.describe_limit_hit(hit), kind="rate_limited", retry_after=hit.retry_after)


def begin(
    caller: Caller,
    chat_model: ChatModel,
    *,
    prompt_tokens: int,
    max_tokens: int | None,
    answers: int = 1,
    is_follow_up: Callable[[], bool] = lambda: False,
) -> Entry:
    """Books a call that is about to be made and reserves its maximum. Raises CallRefused when a limit forbids it.

    `max_tokens` is the limit of each of the `answers` in the request, None without one. The last call that a budget
    allows may reserve more than is left. A call that continues an answer may exceed a rate limit; `is_follow_up` runs
    only when one is hit.
    """
    with transaction.atomic():
        payer, entry = build_entry(caller, chat_model)
        if (hit := rates.find_limit_hit(payer, entry.started_at, lock=True)) and not is_follow_up():
            raise CallRefused.rate_limited(hit)
        answer_tokens = answers * longest_answer(chat_model, max_tokens)
        entry.prompt_estimate = prompt_tokens
        entry.reserved_tokens = prompt_tokens + answer_tokens
        entry.reserved_cost = maximum_cost(chat_model, prompt_tokens, answer_tokens)
        if exhausted := budgets.reserve(entry, payer):
            raise CallRefused.over_budget(exhausted, entry.started_at)
        statements.insert_entry(entry)
        if caller.key:
            note_key_use(caller.key, entry.started_at)
        return entry


@transaction.atomic
def book_count(caller: Caller, chat_model: ChatModel) -> None:
    """Books a request to count tokens, which uses none. Raises CallRefused when a limit of requests forbids it."""
    payer, entry = build_entry(caller, chat_model)
    if hit := rates.find_limit_hit(payer, entry.started_at, lock=True, counts_streams=False):
        raise CallRefused.rate_limited(hit)
    entry.outcome, entry.usage = Outcome.COMPLETE, Usage(0, 0)
    entry.cost = chat_model.calculate_cost(entry.usage)
    statements.insert_entry(entry)
    rollups.add_entry(entry)
    if caller.key:
        note_key_use(caller.key, entry.started_at)


def settle(entry: Entry, meter: Meter, outcome: Outcome, error_kind: str = "") -> None:
    """Books the call's usage and releases its reservations. Does nothing when the entry is already settled."""
    seconds = max(0.0, (now() - entry.started_at).total_seconds())
    write_settlement(entry, meter, outcome, error_kind, seconds=seconds)


def find_refusal(person: User | None, key: ApiKey | None = None) -> CallRefused | None:
    """Returns why the person's next call would be refused, as far as can be known in advance. Writes nothing."""
    payer, at = Payer.of(person, key), now()
    if hit := rates.find_limit_hit(payer, at):
        return CallRefused.rate_limited(hit)
    exhausted = [status for status in budgets.list_statuses(payer, at) if status.is_exhausted]
    return CallRefused.over_budget(exhausted[0], at) if exhausted else None


def list_warnings(person: User | None, key: ApiKey | None = None) -> list[str]:
    """A sentence for each budget that is nearly exhausted."""
    statuses = budgets.list_statuses(Payer.of(person, key), now())
    return [refusals.describe_nearly_exhausted(status) for status in statuses if status.is_nearly_exhausted]


def recover(written: Mapping[int, int] | None = None, before: datetime | None = None) -> None:
    """Settles open entries whose process is lost, as estimates.

    With `before`, these are instead the entries that began earlier. With `written`, they are its keys, which are entry
    keys; its values are the output tokens known to be written.
    """
    lost = Entry.objects.open()
    if written is not None:
        lost = lost.filter(pk__in=written)
    elif before is not None:
        lost = lost.filter(started_at__lt=before)
    else:
        lost = lost.filter(lease.is_abandoned())
    for entry in lost.select_related("chat_model").order_by("pk"):
        meter = Meter(max(1, entry.prompt_estimate))
        meter.assume((written or {}).get(entry.pk, 0))
        write_settlement(entry, meter, Outcome.LOST, seconds=None)
    if written is None:
        budgets.correct_reservations()


def build_entry(caller: Caller, chat_model: ChatModel) -> tuple[Payer, Entry]:
    person, key, group = caller.person, caller.key, find_group(caller.person)
    entry = Entry(
        **{"person": person, "key": key, "group": group, "chat_model": chat_model},
        **{"person_name": str(person or "")[:150], "key_name": str(key or ""), "group_name": str(group or "")},
        model_name=str(chat_model),
        provider_name=chat_model.provider.name,
        source=caller.source,
        request_id=caller.request_id[:80],
        started_at=now(),
        process=lease.local.key,
    )
    return Payer(entry.person_id, entry.group_id, entry.key_id), entry


def longest_answer(chat_model: ChatModel, max_tokens: int | None) -> int:
    """The most tokens of one answer to a request with this limit."""
    known = chat_model.max_output_tokens
    if max_tokens is None:
        return known or DEFAULT_MAX_TOKENS
    return min(max_tokens, known or max_tokens)


def maximum_cost(chat_model: ChatModel, prompt_tokens: int, answer_tokens: int) -> Decimal:
    """The cost of the whole prompt and the longest answer; 0 without known prices."""
    uncached = chat_model.calculate_cost(Usage(prompt_tokens, answer_tokens))
    cached = chat_model.calculate_cost(Usage(0, answer_tokens, cache_write_tokens=prompt_tokens))
    return max(uncached or Decimal(0), cached or Decimal(0))


def note_key_use(key: ApiKey, at: datetime) -> None:
    if key.last_used_at is None or key.last_used_at < at - KEY_USE_PRECISION:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=at)
        ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=at)
        key.last_used_at = at


@transaction.atomic
def write_settlement(
    entry: Entry, meter: Meter, outcome: Outcome, error_kind: str = "", *, seconds: float | None
) -> None:
    # First, because a spending row that is created here must include this entry while it still counts as open.
    affected = budgets.ensure_spendings(Payer(entry.person_id, entry.group_id, entry.key_id), entry.started_at)
    entry.outcome, entry.error_kind = outcome, error_kind[:40]
    # PostgreSQL does not store this character.
    entry.upstream_id = meter.facts.id.replace("\0", "")[:200]
    entry.seconds_to_first, entry.seconds = meter.seconds_to_first, seconds
    entry.usage, entry.is_estimate = charged_usage(meter, outcome, error_kind)
    cost = entry.chat_model.calculate_cost(entry.usage) if entry.chat_model else None
    entry.cost = None if cost is None else round_to_units(cost)
    if statements.update_open_entry(entry):
        rollups.add_entry(entry)
        budgets.settle(entry, affected)
        transaction.on_commit(partial(count_call, entry))


def charged_usage(meter: Meter, outcome: Outcome, error_kind: str) -> tuple[Usage, bool]:
    """The tokens that the upstream charges for, and whether they are an estimate."""
    is_refused = outcome == Outcome.FAILED and error_kind not in CHARGED_FAILURES
    if is_refused and not meter.has_begun:
        # Upstreams do not charge for requests that they refuse.
        return Usage(0, 0) + meter.abandoned, meter.abandoned != Usage()
    return meter.usage, meter.is_estimate
