"""One attempt of one model to write one message: its state, usage and outcome."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.timezone import now

from accounts.models import User
from chatsite.logs.request_ids import make_answer_id
from chatsite.process import lease
from upstreams.models import ChatModel, UsageColumns
from upstreams.redaction import strip_addresses


class State(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETE = "complete"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


CUT_REASONS = ("max_tokens", "length", "model_context_window_exceeded", "pause_turn")
UNFINISHED = (State.QUEUED, State.RUNNING, State.WAITING)
"""A generation is WAITING while the person who asked has to approve a tool."""

INTERNAL = "internal"
"""The kind of error that is the site's own fault."""
RECENT = 50
"""Answers of a person that are looked through for the models they use."""


class GenerationQuerySet(models.QuerySet["Generation"]):
    def for_reading(self) -> Self:
        """With everything that rendering needs, oldest first."""
        return self.select_related("chat_model__provider", "asked_by").prefetch_related("tool_approvals").order_by("pk")

    def list_recent_models(self, person: User) -> list[int]:
        """Returns the keys of the models in the person's latest answers, the last one first."""
        latest = self.filter(asked_by=person).order_by("-pk").values_list("chat_model", flat=True)
        return [key for key in dict.fromkeys(latest[:RECENT]) if key is not None]

    def running(self) -> Self:
        return self.filter(state=State.RUNNING)

    def claimed_as(self, generation: "Generation") -> Self:
        """This generation, while the claim that the object knows of is the latest and it is running."""
        return self.running().filter(pk=generation.pk, claims=generation.claims)

    def unfinished(self) -> Self:
        return self.filter(state__in=UNFINISHED)

    def without_asker(self) -> Self:
        """Whose asker's account was deactivated or deleted, or who wait for the approval of somebody who has left."""
        members = Generation.objects.filter(pk=OuterRef("pk"), conversation__participants__user=F("asked_by"))
        has_left = Q(state=State.WAITING) & ~Exists(members)
        return self.filter(Q(asked_by=None) | Q(asked_by__is_active=False) | has_left)

    def next_in_line(self) -> Self:
        """Queued generations with no earlier unfinished one in their conversation."""
        earlier = Generation.objects.unfinished().filter(conversation=OuterRef("conversation"), pk__lt=OuterRef("pk"))
        return self.filter(~Exists(earlier), state=State.QUEUED)


class Generation(UsageColumns):
    """Copies the names of model and provider, so that they outlive renaming and deletion."""

    conversation = models.ForeignKey("conversations.Conversation", models.CASCADE, related_name="generations")
    message = models.ForeignKey("conversations.Message", models.CASCADE, related_name="generations")
    chat_model = models.ForeignKey(ChatModel, models.SET_NULL, null=True, related_name="+")
    asked_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    """The model uses this person's tools, and only this person can approve their use."""
    model_name = models.CharField("model", max_length=200, blank=True)
    provider_name = models.CharField("provider", max_length=80, blank=True)

    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=80, blank=True)
    error_kind = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    error_detail = models.TextField(blank=True)
    """The upstream's own words, for administrators only: they may name addresses. Others read `shown_detail`."""
    notes = models.JSONField(default=list, blank=True)
    thinking_seconds = models.FloatField(null=True, blank=True)

    cost = models.DecimalField(max_digits=20, decimal_places=8, null=True, blank=True)

    continues = models.BooleanField(default=False)
    """Whether it continues the text of its message instead of starting again."""
    rounds = models.PositiveSmallIntegerField(default=0)
    """How often the model has received the results of tools."""

    claims = models.PositiveIntegerField(default=0)
    """How often it has been claimed. Only the process that made the latest claim writes its message."""
    process = models.BigIntegerField(null=True, blank=True)
    """The process that made the latest claim."""

    queued_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = GenerationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["conversation", "id"],
                condition=models.Q(state__in=UNFINISHED),
                name="generation_unfinished",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_name or 'No model'}, {self.get_state_display().lower()}"

    @staticmethod
    def model_fields(chat_model: ChatModel | None) -> dict[str, Any]:
        """The fields that name the model."""
        if chat_model is None:
            return {"chat_model": None}
        return {"chat_model": chat_model, "model_name": chat_model.name, "provider_name": chat_model.provider.name}

    def add_notes(self, *notes: str) -> None:
        """Adds notes that it does not have yet. Saved with its end."""
        self.notes = list(dict.fromkeys([*self.notes, *notes]))

    def claim(self) -> bool:
        """Marks a queued generation as running.

        Returns False if it must wait its turn, if another process has claimed or a person stopped it since it was read,
        or if this process has been taken for dead: others would take the claim from it.
        """
        # A generation that waited for approval started earlier.
        claim = {"state": State.RUNNING, "started_at": self.started_at or now(), "process": lease.local.key}
        unchanged = Generation.objects.filter(pk=self.pk, claims=self.claims, stop_asked_at=self.stop_asked_at)
        if not unchanged.next_in_line().filter(lease.local.has_row()).update(**claim, claims=self.claims + 1):
            return False
        self.claims += 1
        for name, value in claim.items():
            setattr(self, name, value)
        return True

    @property
    def shown_detail(self) -> str:
        return strip_addresses(self.error_detail)

    @property
    def reference(self) -> str:
        """By which an administrator finds a fault of the site. Empty for any other ending."""
        return make_answer_id(self.pk) if self.error_kind == INTERNAL else ""

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED

    @property
    def was_cut(self) -> bool:
        if self.state == State.COMPLETE:
            return self.stop_reason in CUT_REASONS
        return self.state in (State.STOPPED, State.INTERRUPTED, State.FAILED)

    @property
    def duration(self) -> timedelta | None:
        if not (self.finished_at and self.started_at):
            return None
        # Two processes may have written these moments, and their clocks may differ.
        return max(timedelta(0), self.finished_at - self.started_at)

    @property
    def prompt_tokens(self) -> int | None:
        """The whole prompt, cached parts included; None if the upstream did not report it."""
        if self.input_tokens is None:
            return None
        return self.input_tokens + (self.cache_read_tokens or 0) + (self.cache_write_tokens or 0)

    def calculate_cost(self) -> Decimal | None:
        return self.chat_model.calculate_cost(self.usage) if self.chat_model else None
