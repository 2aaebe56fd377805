"""API keys, with which programs sign in."""

import hashlib
import re
from datetime import datetime, timedelta
from secrets import choice
from string import ascii_letters, digits
from typing import Any, Final, Self

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

PREFIX: Final = "cs-"
"""Starts every secret, so that people and scanners for leaked secrets recognise it."""
SECRET_CHARACTERS: Final = 40
SHOWN_CHARACTERS: Final = 6
"""Shown after the prefix: enough to tell keys apart, too few to help guessing."""
SOON: Final = timedelta(days=14)
_SECRET: Final = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{SECRET_CHARACTERS}}}")


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self, at: datetime | None = None) -> Self:
        """Keys that are neither revoked nor expired and belong to an active person."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=at or now())
        return self.filter(unexpired, revoked_at=None, person__is_active=True)

    def expired(self) -> Self:
        """Expired keys, without revoked ones."""
        return self.filter(expires_at__lte=now(), revoked_at=None)

    def idle(self, span: timedelta) -> Self:
        """Valid keys that have not been used for this long."""
        before = now() - span
        return self.valid().filter(Q(last_used_at__lt=before) | Q(last_used_at=None, created_at__lt=before))

    def visible_to(self, person: Any) -> Self:
        """The person's own keys, or all keys for an administrator."""
        if not person.is_authenticated:
            return self.none()
        return self if person.has_perm("accounts.change_apikey") else self.filter(person=person)


class ApiKey(models.Model):
    """The secret is shown once and never stored. It is random, so a plain digest is enough to hide it."""

    person = models.ForeignKey("accounts.User", models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    beginning = models.CharField(max_length=20, editable=False)
    """The first characters of the secret, to recognise it by."""
    every_model = models.BooleanField(default=True)
    """Otherwise the key may use the models allowed one by one, and none once these are deleted."""
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name

    def renew_secret(self) -> str:
        """Sets a new secret and returns it, which is the only time it can be read. Does not save."""
        secret = PREFIX + "".join(choice(ascii_letters + digits) for _ in range(SECRET_CHARACTERS))
        self.digest, self.beginning = digest_of(secret), secret[: len(PREFIX) + SHOWN_CHARACTERS]
        return secret

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= now()

    @property
    def is_valid(self) -> bool:
        return self.revoked_at is None and not self.is_expired and self.person.is_active

    @property
    def expires_soon(self) -> bool:
        """Whether the key expires within SOON, while it can still be replaced."""
        return self.expires_at is not None and now() < self.expires_at <= now() + SOON

    def revoke(self) -> None:
        """Revokes the key. Revoking it again changes nothing."""
        ApiKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now())


def is_secret(text: str) -> bool:
    """Whether the text has the form of a secret."""
    return bool(_SECRET.fullmatch(text))


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def read_secret(headers: Any) -> str:
    """Reads the secret from `x-api-key`, or else from `authorization: Bearer …`. Returns "" if both are missing.

    The names in `headers` are in lower case.
    """
    if key := headers.get("x-api-key", "").strip():
        return str(key)
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""
