"""People, their API keys and their sign-ins."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.http import HttpRequest

from accounts.keys import ApiKey
from accounts.throttling import FailedSignIn, KnownNetwork

__all__ = ["ApiKey", "AuthenticatedRequest", "FailedSignIn", "KnownNetwork", "User"]


class User(AbstractUser):
    """A person with an account. Others see `name`, or the username if it is empty."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    name = models.CharField("name", max_length=150, blank=True)

    class Meta(AbstractUser.Meta):
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [
            # Sign-in ignores case, so "ada" and "Ada" must be one person.
            models.UniqueConstraint(
                Lower("username"),
                name="one_username_whatever_its_case",
                violation_error_message="Somebody already has that username.",
            )
        ]

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
