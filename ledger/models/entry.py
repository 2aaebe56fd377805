"""One call to an upstream, as it is booked."""

from typing import Any, Self

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import ApiKey, User
from ledger.models.money import MoneyField
from upstreams.events import Usage
from upstreams.models import ChatModel, UsageColumns

COUNTED_FIELDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
"""What a call comes to in tokens; thinking is part of the output."""


class CallSource(models.TextChoices):
    CONVERSATION = "conversation", "Conversations"
    GATEWAY = "gateway", "API"


class Outcome(models.TextChoices):
    """LOST: the process ended before the call did."""

    OPEN = "open", "Running"
    COMPLETE = "complete", "Complete"
    STOPPED = "stopped", "Stopped"
    BROKEN = "broken", "Broken off"
    FAILED = "failed", "Failed"
    LOST = "lost", "Lost"


class EntryQuerySet(models.QuerySet["Entry"]):
    def open(self) -> Self:
        return self.filter(outcome=Outcome.OPEN)

    def visible_to(self, person: Any) -> Self:
        """One's own; to an administrator everybody's."""
        if not person.is_authenticated:
            return self.none()
        return self if person.has_perm("ledger.view_entry") else self.filter(person=person)


class Entry(UsageColumns):
    """Open while the call runs, with what is reserved for it; settled once, with what it came to.

    Names are copied: they stay true when those who bear them are renamed or deleted.
    """

    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="+")
    group = models.ForeignKey(Group, models.SET_NULL, null=True, related_name="+")
    chat_model = models.ForeignKey(ChatModel, models.SET_NULL, null=True, related_name="+")
    person_name = models.CharField("person", max_length=150, blank=True)
    key_name = models.CharField("key", max_length=80, blank=True)
    group_name = models.CharField("group", max_length=150, blank=True)
    model_name = models.CharField("model", max_length=200, blank=True)
    provider_name = models.CharField("provider", max_length=80, blank=True)

    source = models.CharField(max_length=12, choices=CallSource)
    request_id = models.CharField("request", max_length=80, blank=True)
    """Our name for the request, for people and logs: the gateway's request id, or the number of the generation."""
    upstream_id = models.CharField("upstream's request", max_length=200, blank=True)

    is_estimate = models.BooleanField("estimated", default=False)
    cost = MoneyField(null=True)
    """By the model's prices at that time; None where they were not known."""

    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.OPEN)
    error_kind = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField(default=now)
    seconds_to_first = models.FloatField("seconds to the first token", null=True)
    seconds = models.FloatField(null=True)

    prompt_estimate = models.BigIntegerField(default=0)
    reserved_tokens = models.BigIntegerField(default=0)
    reserved_cost = MoneyField(default=0)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["person", "-started_at"], name="entry_person"),
            models.Index(fields=["key", "-started_at"], name="entry_key"),
            models.Index(fields=["-started_at"], name="entry_started"),
            models.Index(fields=["person", "key"], condition=Q(outcome="open"), name="entry_open"),
        ]

    def __str__(self) -> str:
        return f"{self.model_name or 'No model'}, {self.get_outcome_display().lower()}"

    @property
    def is_open(self) -> bool:
        return self.outcome == Outcome.OPEN

    @property
    def tokens(self) -> int:
        return tokens_in(self.usage)


def tokens_in(usage: Usage) -> int:
    """What a call counts against a budget of tokens."""
    return sum(getattr(usage, name) or 0 for name in COUNTED_FIELDS)
