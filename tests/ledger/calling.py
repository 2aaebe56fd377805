"""Books calls without an upstream, with the figures that one would report."""

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


def make_model(name: str = "Clever", **fields: Any) -> ChatModel:
    address = "http://127.0.0.1:9"
    provider, _ = Provider.objects.get_or_create(
        name="House", defaults={"protocol": ProtocolName.ANTHROPIC, "base_url": address}
    )
    return ChatModel.objects.create(provider=provider, model_id=name.lower(), name=name, **fields)


def make_key(person: User, name: str = "ci") -> ApiKey:
    key = ApiKey(person=person, name=name)
    key.renew_secret()
    key.save()
    return key


def begin_call(
    person: User | None, model: ChatModel, *, prompt: int = 100, answer: int | None = 100, key: ApiKey | None = None
) -> Entry:
    source = CallSource.GATEWAY if key else CallSource.CONVERSATION
    return entries.begin(Caller(person, source, key=key), model, prompt_tokens=prompt, max_tokens=answer)


def settle_call(entry: Entry, read: int = 100, written: int = 50) -> Entry:
    entries.settle(entry, full_meter(Usage(read, written), "Yes." if written else ""), Outcome.COMPLETE)
    return entry


def make_call(person: User | None, model: ChatModel, read: int = 100, written: int = 50, **fields: Any) -> Entry:
    return settle_call(begin_call(person, model, **fields), read, written)


def full_meter(usage: Usage, text: str = "Yes.") -> Meter:
    """The meter of a complete reply."""
    return make_meter([ReplyStarted("msg_1", "clever"), BlockGrew(text), UsageReported(usage), ReplyEnded("end_turn")])


def make_meter(events: Sequence[ReplyEvent], prompt: int = 100) -> Meter:
    meter = Meter(prompt)
    meter.take(events)
    return meter


def make_budget(limit: str | int = 1000, **fields: Any) -> Budget:
    terms = {"scope": "site", "period": "month", "unit": "tokens", **fields}
    return Budget.objects.create(limit=Decimal(limit), **terms)


def read_spendings(of: Budget) -> list[tuple[int, int]]:
    """(spent, reserved) in the order of subjects and periods."""
    rows = Spending.objects.current().filter(budget=of).order_by("subject", "start")
    return list(rows.values_list("spent", "reserved"))


def at(text: str) -> datetime:
    """Parses a moment in ISO 8601, in the site's time zone by default."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.get_default_timezone())
