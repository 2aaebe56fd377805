"""Calls that never reach an upstream: begun and settled with the figures that one would have reported."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.models import ApiKey, User
from ledger.booking import entries
from ledger.booking.entries import Caller, CallSource, Outcome
from ledger.booking.meter import Meter
from ledger.models import Budget, Entry, Spending
from upstreams.endpoint import ProtocolName
from upstreams.events import BlockGrew, ReplyEnded, ReplyEvent, ReplyStarted, Usage, UsageReported
from upstreams.models import ChatModel, Provider


def model_with(name: str = "Clever", **fields: Any) -> ChatModel:
    address = "http://127.0.0.1:9"
    provider, _ = Provider.objects.get_or_create(
        name="House", defaults={"protocol": ProtocolName.ANTHROPIC, "base_url": address}
    )
    return ChatModel.objects.create(provider=provider, model_id=name.lower(), name=name, **fields)


def key_of(person: User, name: str = "ci") -> ApiKey:
    key = ApiKey(person=person, name=name)
    key.renew_secret()
    key.save()
    return key


def begun(
    person: User | None, model: ChatModel, *, prompt: int = 100, answer: int | None = 100, key: ApiKey | None = None
) -> Entry:
    source = CallSource.GATEWAY if key else CallSource.CONVERSATION
    return entries.begin(Caller(person, source, key=key), model, prompt_tokens=prompt, max_tokens=answer)


def settled(entry: Entry, read: int = 100, written: int = 50) -> Entry:
    entries.settle(entry, whole(Usage(read, written), "Yes." if written else ""), Outcome.COMPLETE)
    return entry


def called(person: User | None, model: ChatModel, read: int = 100, written: int = 50, **fields: Any) -> Entry:
    return settled(begun(person, model, **fields), read, written)


def whole(usage: Usage, text: str = "Yes.") -> Meter:
    """The meter of a reply that came to its end."""
    return metered([ReplyStarted("msg_1", "clever"), BlockGrew(text), UsageReported(usage), ReplyEnded("end_turn")])


def metered(events: Sequence[ReplyEvent], prompt: int = 100) -> Meter:
    meter = Meter(prompt)
    meter.take(events)
    return meter


def budget(limit: str | int = 1000, **fields: Any) -> Budget:
    terms = {"scope": "site", "period": "month", "unit": "tokens", **fields}
    return Budget.objects.create(limit=Decimal(limit), **terms)


def sums_of(of: Budget) -> list[tuple[int, int]]:
    """Spent and reserved, by subject and period."""
    rows = Spending.objects.current().filter(budget=of).order_by("subject", "start")
    return list(rows.values_list("spent", "reserved"))


def at(text: str) -> datetime:
    """A moment as ISO 8601 has it, in the site's time zone where it names none."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.get_default_timezone())
