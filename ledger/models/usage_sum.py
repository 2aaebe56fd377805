"""The ledger's sums by day and by month, which pages read instead of entries."""

from typing import Any, Self

from django.db import models

from ledger.models.entry import CallSource
from ledger.models.money import MoneyField, not_negative
from ledger.periods import Period
from upstreams.models import USAGE_FIELDS

KEY_FIELDS = ("span", "start", "person_pk", "key_pk", "group_pk", "model_pk", "source")
NAME_FIELDS = ("person_name", "key_name", "group_name", "model_name", "provider_name")
SUMMED_FIELDS = ("calls", "estimated_calls", "failed_calls", "cost", *USAGE_FIELDS)


class UsageSumQuerySet(models.QuerySet["UsageSum"]):
    def visible_to(self, person: Any) -> Self:
        """The person's own sums, or all sums for an administrator."""
        if not person.is_authenticated:
            return self.none()
        return self if person.has_perm("ledger.view_usagesum") else self.filter(person_pk=person.pk)


class UsageSum(models.Model):
    """The settled calls of one day or month with the same person, key, group, model and source.

    The `…_pk` are primary keys, 0 for none. They are not foreign keys: sums remain when a person or a model is
    deleted. Names are those at the latest call.
    """

    span = models.CharField(max_length=8, choices=Period)
    start = models.DateField()
    person_pk = models.BigIntegerField(default=0)
    key_pk = models.BigIntegerField(default=0)
    group_pk = models.BigIntegerField(default=0)
    model_pk = models.BigIntegerField(default=0)
    source = models.CharField(max_length=12, choices=CallSource)
    person_name = models.CharField(max_length=150, blank=True)
    key_name = models.CharField(max_length=80, blank=True)
    group_name = models.CharField(max_length=150, blank=True)
    model_name = models.CharField(max_length=200, blank=True)
    provider_name = models.CharField(max_length=80, blank=True)

    calls = models.BigIntegerField(default=0)
    estimated_calls = models.BigIntegerField(default=0)
    failed_calls = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    thinking_tokens = models.BigIntegerField(default=0)
    cost = MoneyField(default=0)

    objects = UsageSumQuerySet.as_manager()

    class Meta:
        constraints = [
            # Also the index for reading a period, so the columns that every page filters by come first.
            models.UniqueConstraint(
                fields=KEY_FIELDS,
                name="one_usage_sum_of_a_kind",
            ),
            models.CheckConstraint(condition=not_negative(*SUMMED_FIELDS), name="usage_sum_not_negative"),
        ]
        indexes = [models.Index(fields=["person_pk", "span", "start"], name="usage_sum_person")]

    def __str__(self) -> str:
        return f"{self.person_name or 'Nobody'}, {self.model_name}, {self.start}"
