"""The form that creates an API key, and the form that filters the list of all keys."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.timezone import localdate, make_aware, now

from accounts.keys import ApiKey, ApiKeyQuerySet
from accounts.models import User
from gateway.models import restrict_key
from ledger.models import Budget, Period, Scope, Unit
from ledger.models.budget import find_limit_fault
from upstreams.models import ChatModel

MAX_KEYS: Final = 50
"""Active keys of one person."""

MOST_YEARS: Final = 100
_NEVER, _ON_A_DAY = "never", "on"
_EXPIRIES: Final = [
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
    (_ON_A_DAY, "After a date"),
    (_NEVER, "Never"),
]


class ModelChoices(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} · {obj.provider}"


class ApiKeyForm(forms.Form):
    """The name, expiry, models and budget of a new key."""

    name = forms.CharField(
        label="Name",
        max_length=80,
        help_text="The program or machine that will use it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    expires = forms.ChoiceField(label="Expires", choices=_EXPIRIES, initial="90")
    last_day = forms.DateField(
        label="Last day", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    scope = forms.ChoiceField(
        label="Models",
        choices=[("every", "All models, including future ones"), ("some", "Selected models")],
        initial="every",
        widget=forms.RadioSelect,
    )
    chat_models = ModelChoices(
        label="Selected models",
        queryset=ChatModel.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    budget = forms.DecimalField(
        label="Budget for this key",
        required=False,
        min_value=0,
        max_digits=18,
        decimal_places=4,
        help_text="In addition to your own budget, which always applies.",
        widget=forms.NumberInput(attrs={"placeholder": "None"}),
    )
    unit = forms.ChoiceField(label="Counted in", required=False)
    period = forms.ChoiceField(label="Renews", required=False, choices=[("month", "Every month"), ("day", "Every day")])
    # The person's newest key when the page was drawn. It shows whether the same form was already sent.
    after = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        self.initial["after"] = person.api_keys.values_list("pk", flat=True).first() or 0
        unit, offered = self.fields["unit"], self.fields["chat_models"]
        assert isinstance(unit, forms.ChoiceField)
        unit.choices = [(Unit.MONEY, settings.CURRENCY), (Unit.TOKENS, "Tokens")]
        assert isinstance(offered, ModelChoices)
        offered.queryset = ChatModel.objects.offered()
        self.fields["last_day"].widget.attrs["min"] = localdate().isoformat()

    def clean_name(self) -> str:
        # One line, because the name appears in comments of the examples.
        return " ".join(self.cleaned_data["name"].split())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        day = cleaned.get("last_day")
        if cleaned.get("expires") == _ON_A_DAY and "last_day" in cleaned:
            if day is None:
                self.add_error("last_day", "Choose the last day on which the key is valid.")
            elif day < localdate():
                self.add_error("last_day", "Choose today or a later day.")
            elif day.year > localdate().year + MOST_YEARS:
                self.add_error("last_day", f"Choose a day within {MOST_YEARS} years, or a key that never expires.")
        if cleaned.get("scope") == "some" and not cleaned.get("chat_models") and "chat_models" in cleaned:
            self.add_error("chat_models", "Select at least one model.")
        budget = cleaned.get("budget")
        if budget is not None and (fault := find_limit_fault(budget, cleaned.get("unit", ""))):
            self.add_error("budget", fault)
        if self.person.api_keys.valid().count() >= MAX_KEYS:
            raise ValidationError(
                f"You have {MAX_KEYS} active keys, the maximum. Revoke one before you create another."
            )
        return cleaned

    @property
    def was_sent_before(self) -> bool:
        """Whether this form was already sent: reloading a page sends its form again."""
        after, name = self.cleaned_data["after"], self.cleaned_data["name"]
        return after is not None and self.person.api_keys.filter(pk__gt=after, name=name).exists()

    @transaction.atomic
    def save(self) -> tuple[ApiKey, str]:
        """Creates the key. Returns it and its secret, which cannot be read later."""
        key = ApiKey(person=self.person, name=self.cleaned_data["name"], expires_at=self._expires_at())
        secret = key.renew_secret()
        key.save()
        if self.cleaned_data["scope"] == "some":
            restrict_key(key, self.cleaned_data["chat_models"])
        if (budget := self.cleaned_data["budget"]) is not None:
            unit, period = self.cleaned_data["unit"] or Unit.MONEY, self.cleaned_data["period"] or Period.MONTH
            Budget.objects.create(scope=Scope.KEY, key=key, limit=budget, unit=unit, period=period)
        return key, secret

    def _expires_at(self) -> datetime | None:
        expires = self.cleaned_data["expires"]
        if expires == _NEVER:
            return None
        if expires == _ON_A_DAY:
            return make_aware(datetime.combine(self.cleaned_data["last_day"] + timedelta(days=1), time.min))
        return now() + timedelta(days=int(expires))


type Narrowing = Callable[[ApiKeyQuerySet], ApiKeyQuerySet]

STATES: Final[dict[str, tuple[str, Narrowing]]] = {
    "valid": ("Active", lambda keys: keys.valid()),
    "idle": ("Not used for 90 days", lambda keys: keys.idle(timedelta(days=90))),
    "expired": ("Expired", lambda keys: keys.expired()),
    "revoked": ("Revoked", lambda keys: keys.filter(revoked_at__isnull=False)),
}


class KeySearchForm(forms.Form):
    """Filters the list of all keys. Invalid values filter nothing."""

    q = forms.CharField(
        label="Find a person or key",
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "placeholder": "Find a person or key"}),
    )
    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Any state"), *((state, label) for state, (label, _) in STATES.items())],
    )
