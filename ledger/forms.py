"""The forms for budgets and rate limits."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Q, Value
from django.db.models.functions import Coalesce, Lower, NullIf

from accounts.models import ApiKey, User
from ledger.models import Budget, RateLimit, Unit
from ledger.models.budget import find_limit_fault

EACH: Final = "each-"
SUBJECTS: Final = {"person": "Person", "group": "Group", "key": "API key"}


class SubjectChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        if isinstance(obj, ApiKey):
            return f"{obj} · {obj.person}"
        if isinstance(obj, User) and obj.name:
            return f"{obj} ({obj.username})"
        return str(obj)


class SubjectForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form for something with a subject: the whole site, each person, one person and so on."""

    whose = forms.ChoiceField(label="For")
    scopes: Iterable[str] = ()
    labels = {
        "site": "The whole site",
        "each-person": "Each person",
        "person": "One person",
        "each-group": "Each group",
        "group": "One group",
        "each-key": "Each API key",
        "key": "One API key",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        whose = self.fields["whose"]
        assert isinstance(whose, forms.ChoiceField)
        known = [name for name in self.labels if name.removeprefix(EACH) in self.scopes]
        whose.choices = [(name, self.labels[name]) for name in known]
        if self.instance.pk:
            is_each = self.instance.is_for_each and self.instance.scope != "site"
            self.initial["whose"] = f"{EACH if is_each else ''}{self.instance.scope}"
        for name, rows in self._subjects().items():
            self.fields[name] = SubjectChoice(
                queryset=rows, required=False, label=SUBJECTS[name], empty_label="Choose…"
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        whose = cleaned.get("whose", "")
        for name in SUBJECTS:
            if name != whose:
                cleaned[name] = None
                self.errors.pop(name, None)
            elif not cleaned.get(name) and name not in self.errors:
                self.add_error(name, "Choose one.")
        self.instance.scope = whose.removeprefix(EACH)
        return cleaned

    def _subjects(self) -> dict[str, Any]:
        """The possible subjects: those who can make calls, and the current one."""
        shown = Lower(Coalesce(NullIf("name", Value("")), "username"))
        named = {name: Q(pk=getattr(self.instance, f"{name}_id", None)) for name in SUBJECTS}
        keys = ApiKey.objects.filter(Q(pk__in=ApiKey.objects.valid().values("pk")) | named["key"])
        rows = {
            "person": User.objects.filter(Q(is_active=True) | named["person"]).order_by(shown),
            "group": Group.objects.order_by(Lower("name")),
            "key": keys.select_related("person").order_by(Lower("person__username"), Lower("name")),
        }
        return {name: rows[name] for name in SUBJECTS if name in self.fields}


class BudgetForm(SubjectForm):
    """The settings of a budget."""

    scopes = ("site", "person", "group", "key")

    class Meta:
        model = Budget
        fields = ["person", "group", "key", "limit", "unit", "period", "warn_share", "is_active"]
        labels = {"limit": "Limit", "unit": "In", "period": "In", "warn_share": "Warn at", "is_active": "Active"}
        help_texts = {
            "warn_share": "Percent used at which people are warned.",
            "is_active": "Inactive budgets are kept but not enforced.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit, period = self.fields["unit"], self.fields["period"]
        assert isinstance(unit, forms.ChoiceField) and isinstance(period, forms.ChoiceField)
        unit.label, unit.choices = "Counted in", [(Unit.MONEY, settings.CURRENCY), (Unit.TOKENS, "Tokens")]
        period.label, period.choices = "Renews", [("month", "Every month"), ("day", "Every day")]
        if self.instance.limit is not None:
            self.initial["limit"] = f"{self.instance.limit.normalize():f}"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        limit = cleaned.get("limit")
        if limit is not None and (fault := find_limit_fault(limit, cleaned.get("unit", ""))):
            self.add_error("limit", fault)
        return cleaned


class RateLimitForm(SubjectForm):
    """The settings of a rate limit."""

    scopes = ("person", "key")

    class Meta:
        model = RateLimit
        fields = ["person", "key", "requests_a_minute", "streams"]
        labels = {"requests_a_minute": "Requests per minute", "streams": "Concurrent answers"}
        help_texts = {"requests_a_minute": "Leave empty for no limit.", "streams": "Leave empty for no limit."}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and cleaned.get("requests_a_minute") is None and cleaned.get("streams") is None:
            raise ValidationError("Enter a limit for requests, for concurrent answers, or both.")
        whose = cleaned.get("whose", "")
        if whose.startswith(EACH):
            others = RateLimit.objects.filter(scope=self.instance.scope, person=None, key=None)
            if others.exclude(pk=self.instance.pk).exists():
                self.add_error("whose", "There is already a limit for each of them.")
        return cleaned
