"""Budgets, and how much of each is spent and reserved."""

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final, Self

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from accounts.models import ApiKey, User
from ledger.models.money import from_units, not_negative, to_units
from ledger.payer import SITE, Scope
from ledger.periods import Period

__all__ = ["Budget", "Scope", "Spending", "Unit"]


MAX_MONEY: Final = 10_000_000_000
"""The largest limit in money. It and the calls above it fit a 64-bit column of money units."""
EACH: Final = {Scope.GROUP.value: "group", Scope.PERSON.value: "person", Scope.KEY.value: "API key"}


class Unit(models.TextChoices):
    TOKENS = "tokens", "tokens"
    MONEY = "money", "money"


def find_limit_fault(limit: Decimal, unit: str) -> str:
    """Returns what is wrong with a limit in this unit; "" if nothing is."""
    if unit == Unit.TOKENS and limit % 1:
        return "Enter a whole number of tokens."
    if unit == Unit.MONEY and limit > MAX_MONEY:
        return f"Enter {MAX_MONEY:,} or less."
    return ""


class Budget(models.Model):
    """Limits what its subject spends in each period. Without one, it is the default for each person, group or key.

    A subject's own budget overrides the default of the same period and unit.
    """

    TERMS: ClassVar = ("scope", "group_id", "person_id", "key_id", "period", "unit", "is_active")
    """The fields that spendings depend on. When one of them changes, spendings are summed from the ledger again."""

    spending_pk: int | None
    """The payer's spending row; only on budgets from `statements.find_budgets`."""

    scope = models.CharField(max_length=8, choices=Scope)
    group = models.ForeignKey(Group, models.CASCADE, null=True, blank=True, related_name="+")
    person = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    key = models.ForeignKey(ApiKey, models.CASCADE, null=True, blank=True, related_name="+")
    period = models.CharField(max_length=8, choices=Period)
    unit = models.CharField(max_length=8, choices=Unit)
    limit = models.DecimalField(max_digits=18, decimal_places=4, validators=[MinValueValidator(0)])
    warn_share = models.PositiveSmallIntegerField(
        "warn at (percent)", default=80, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    is_active = models.BooleanField("active", default=True)
    revision = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["scope", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope=Scope.GROUP, person=None, key=None)
                | Q(scope=Scope.PERSON, group=None, key=None)
                | Q(scope=Scope.KEY, group=None, person=None)
                | Q(scope=Scope.SITE, group=None, person=None, key=None),
                name="budget_subject_of_its_scope",
                violation_error_message="The subject of a budget must match its scope.",
            )
        ]

    def __str__(self) -> str:
        limit = f"{self.limit:,.2f}" if self.unit == Unit.MONEY else f"{self.limit:,.0f} tokens"
        return f"{limit} {self.get_period_display()} for {self.subject_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Starts a new revision when a term changes. Never change terms by `update`, which does not."""
        before = Budget.objects.filter(pk=self.pk).values_list(*self.TERMS, "revision").first() if self.pk else None
        if before and before[:-1] != tuple(getattr(self, name) for name in self.TERMS):
            self.revision = before[-1] + 1
            if (fields := kwargs.get("update_fields")) is not None:
                kwargs["update_fields"] = {*fields, "revision"}
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if self.unit == Unit.TOKENS and self.limit is not None and self.limit % 1:
            raise ValidationError({"limit": "Enter a whole number of tokens."})

    @property
    def subject_pk(self) -> int | None:
        """None for a per-subject default."""
        return SITE if self.scope == Scope.SITE else getattr(self, f"{self.scope}_id")

    @property
    def subject_name(self) -> str:
        """ "Ada", "each person" or "the whole site"."""
        if self.scope == Scope.SITE:
            return "the whole site"
        subject = getattr(self, self.scope)
        return str(subject) if subject else f"each {EACH[self.scope]}"

    @property
    def is_for_each(self) -> bool:
        return self.subject_pk is None

    @property
    def limit_units(self) -> int:
        """The limit in the budget's units: tokens or money units."""
        return to_units(self.limit) if self.unit == Unit.MONEY else int(self.limit)

    def units_of(self, tokens: int, cost: Decimal | None) -> int:
        """The amount that a call counts, in the budget's units. A call without a known price counts no money."""
        return to_units(cost or Decimal(0)) if self.unit == Unit.MONEY else tokens

    def amount_of(self, units: int) -> Decimal:
        """In tokens or in money, as `limit`."""
        return from_units(units) if self.unit == Unit.MONEY else Decimal(units)


class SpendingQuerySet(models.QuerySet["Spending"]):
    def current(self) -> Self:
        return self.filter(revision=F("budget__revision"))


class Spending(models.Model):
    """How much one subject has spent and reserved of a budget in one period, in the budget's units.

    The first call of a period creates it from the ledger. After that it changes only together with an entry, so it
    always equals the sum over the ledger. A row that turns out to differ is summed up again and logged.
    """

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="spendings")
    revision = models.PositiveIntegerField()
    subject = models.BigIntegerField()
    start = models.DateField()
    spent = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)

    objects = SpendingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget", "revision", "subject", "start"], name="one_spending_a_period"),
            models.CheckConstraint(condition=not_negative("spent", "reserved"), name="spending_not_negative"),
        ]

    def __str__(self) -> str:
        start: date = self.start
        return f"{self.budget}, from {start:%Y-%m-%d}"
