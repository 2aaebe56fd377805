"""Limits how often people and programs may call, and how many calls may run at once."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import ApiKey, User
from ledger.payer import Scope


class RateLimit(models.Model):
    """Limits its subject. Without a subject it limits each person or key that has no limit of its own."""

    scope = models.CharField(max_length=8, choices=[(each.value, each.label) for each in (Scope.PERSON, Scope.KEY)])
    person = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    key = models.ForeignKey(ApiKey, models.CASCADE, null=True, blank=True, related_name="+")
    requests_a_minute = models.PositiveIntegerField(
        "requests per minute", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    streams = models.PositiveIntegerField(
        "concurrent answers", null=True, blank=True, validators=[MinValueValidator(1)]
    )

    class Meta:
        ordering = ["scope", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="person", key=None) | Q(scope="key", person=None),
                name="rate_limit_subject_of_its_scope",
                violation_error_message="The subject of a limit must match its scope.",
            ),
            models.UniqueConstraint(
                fields=["person"],
                condition=Q(person__isnull=False),
                name="one_rate_limit_a_person",
                violation_error_message="This person already has a limit.",
            ),
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(key__isnull=False),
                name="one_rate_limit_a_key",
                violation_error_message="This key already has a limit.",
            ),
            models.UniqueConstraint(
                fields=["scope"],
                condition=Q(person=None, key=None),
                name="one_rate_limit_for_each",
                violation_error_message="There is already a limit for each of them.",
            ),
        ]

    def __str__(self) -> str:
        whose = self.person or self.key or ("each person" if self.scope == Scope.PERSON else "each API key")
        return f"Limit of {whose}"

    @property
    def is_for_each(self) -> bool:
        return self.person_id is None and self.key_id is None
