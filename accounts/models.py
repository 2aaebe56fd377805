"""People, their API keys and their sign-ins."""

from typing import Any, Final

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.http import HttpRequest

from accounts.keys import ApiKey
from accounts.throttling import FailedSignIn, KnownNetwork

__all__ = ["ApiKey", "AuthenticatedRequest", "FailedSignIn", "KnownNetwork", "User"]

USERNAME_TAKEN: Final = "Somebody already has that username."


class User(AbstractUser):
    """A person with an account. Others see `name`, or the username if it is empty."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    name = models.CharField("name", max_length=150, blank=True)
    uses_single_keys = models.BooleanField("single-key shortcuts", default=True)
    """Whether single keys, such as "?", are shortcuts outside fields. Speech input types them by mistake."""

    class Meta(AbstractUser.Meta):
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [
            # Sign-in ignores case, so "ada" and "Ada" must be one person.
            models.UniqueConstraint(
                Lower("username"),
                name="one_username_whatever_its_case",
                violation_error_message=USERNAME_TAKEN,
            )
        ]

    def clean(self) -> None:
        """Refuses a new username that differs from another one only by its case.

        The constraint ignores only the case of ASCII letters on SQLite, and the German ß on PostgreSQL.
        """
        super().clean()
        if not self.username or User.objects.filter(pk=self.pk, username=self.username).exists():
            return
        others = User.objects.exclude(pk=self.pk).values_list("username", flat=True)
        if self.username.casefold() in map(str.casefold, others):
            raise ValidationError(USERNAME_TAKEN)

    @classmethod
    def find_username(cls, typed: str) -> str:
        """Returns the username as it is stored, whatever the case of what was typed, or else what was typed.

        SQLite ignores only the case of ASCII letters, and PostgreSQL not that of ß.
        """
        name = str(cls.normalize_username(typed))
        if name.isascii():
            return name
        names = cls.objects.values_list("username", flat=True)
        alike = (other for other in names.iterator() if other.casefold() == name.casefold())
        # Older versions allowed two that differ only by their case.
        return min(alike, key=lambda other: (other != name, other.lower() != name.lower()), default=name)

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)


class AuthenticatedRequest(HttpRequest):
    """A request of a signed-in person. Tells type checkers that `user` is a User."""

    user: User
    htmx: Any
