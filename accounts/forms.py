"""Forms to sign in, change a password and create the first account."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm, LoginForm
from allauth.core import context
from django import forms
from django.contrib.auth.forms import BaseUserCreationForm, UsernameField
from django.core.exceptions import ValidationError

from accounts.models import User

PASSWORD_HELP = "At least 10 characters, not a common password, not only digits, not similar to your name."  # noqa: S105


def password_field(label: str, autocomplete: str, help_text: str = "") -> forms.CharField:
    """Takes a password as typed: it is not stripped, rendered again or spell-checked."""
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete, "data-reveal": "", "spellcheck": "false"})
    return forms.CharField(label=label, strip=False, widget=widget, help_text=help_text)


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's throttled form with our labels. Given the right password, it says that an account is deactivated."""

    password = password_field("Password", "current-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Username"
        self.fields["login"].widget.attrs = {
            "autocomplete": "username",
            "autocapitalize": "none",
            "spellcheck": "false",
        }
        # After a failed attempt, the username is filled in.
        self.fields["password" if self.is_bound else "login"].widget.attrs["autofocus"] = True

    def clean_login(self) -> str:
        return User.find_username(super().clean_login())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if self.user and not self.user.is_active:
            raise ValidationError("This account is deactivated. Ask an administrator.", code="inactive")
        return cleaned


class PasswordChangeForm(ChangePasswordForm):  # type: ignore[misc]
    """Asks for the current password, with the limits of signing in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label, help_text in (
            ("oldpassword", "Current password", ""),
            ("password1", "New password", PASSWORD_HELP),
            ("password2", "New password again", ""),
        ):
            field = self.fields[name]
            field.label, field.help_text = label, help_text
            field.widget.attrs = {"autocomplete": field.widget.attrs["autocomplete"], "data-reveal": ""}
        self.fields["oldpassword"].widget.attrs["autofocus"] = True

    def clean_oldpassword(self) -> str:
        password: str = self.cleaned_data["oldpassword"]
        adapter = get_adapter()
        if not adapter.authenticate(context.request, username=self.user.get_username(), password=password):
            raise adapter.validation_error("enter_current_password")
        return password


class SetUpForm(BaseUserCreationForm[User]):
    """Creates the first administrator. The password has to meet the site's rules."""

    password1 = password_field("Password", "new-password", PASSWORD_HELP)
    password2 = password_field("Password again", "new-password")

    class Meta:
        model = User
        fields = ["username", "name"]
        field_classes = {"username": UsernameField}
        help_texts = {
            "username": "You sign in with this.",
            "name": "Other people see this, or your username if it is empty.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs |= {"spellcheck": "false"}
        self.fields["name"].widget.attrs |= {"autocomplete": "name"}
