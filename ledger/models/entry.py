"""One call to an upstream, as the ledger books it."""

from typing import Any, Self

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import ApiKey, User
from ledger.models.money import MoneyField, not_negative
from upstreams.models import ChatModel, UsageColumns

COUNTED_FIELDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
"""The fields that count against a budget of tokens. Thinking is part of the output."""


class CallSource(models.TextChoices):
    CONVERSATION = "conversation", "Conversations"
    GATEWAY = "gateway", "API"
    COUNT = "count", "Token counts"
    """Requests to count tokens, which use none."""


class Outcome(models.TextChoices):
    """How a call ended. LOST: the process died before the call ended."""

    OPEN = "open", "Running"
    COMPLETE = "complete", "Complete"
    STOPPED = "stopped", "Stopped"
    BROKEN = "broken", "Interrupted"
    FAILED = "failed", "Failed"
    LOST = "lost", "Lost"


class EntryQuerySet(models.QuerySet["Entry"]):
    def open(self) -> Self:
        return self.filter(outcome=Outcome.OPEN)

    def visible_to(self, person: Any) -> Self:
        """The person's own entries, or all entries for an administrator."""
        if not person.is_authenticated:
            return self.none()
        return self if person.has_perm("ledger.view_entry") else self.filter(person=person)


class Entry(UsageColumns):
    """Open with its reservation while the call runs, then settled once with its usage.

    Names are copied: they stay correct when a person, key, group or model is renamed or deleted.
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
    """At the prices when the call began or, after a crash, when it was recovered. None if they were unknown."""

    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.OPEN)
    error_kind = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField(default=now)
    seconds_to_first = models.FloatField("seconds to the first token", null=True)
    seconds = models.FloatField(null=True)

    process = models.BigIntegerField(null=True)
    """The process that makes the call and settles it."""

    prompt_estimate = models.BigIntegerField(default=0)
    reserved_tokens = models.BigIntegerField(default=0)
    reserved_cost = MoneyField(default=0)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=not_negative(
                    "prompt_estimate", "reserved_tokens", "reserved_cost", "cost", "thinking_tokens", *COUNTED_FIELDS
                ),
                name="entry_not_negative",
            )
        ]
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
        """The tokens that the call counts against a budget."""
        return sum(getattr(self, name) or 0 for name in COUNTED_FIELDS)
