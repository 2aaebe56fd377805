"""API keys: what programs show instead of a password."""

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
"""Every secret begins with it, so that scanners for leaked secrets, and people, know what it is."""
SECRET_CHARACTERS: Final = 40
SHOWN_CHARACTERS: Final = 6
"""After the prefix: enough to tell one's keys apart, and no help in guessing."""
SOON: Final = timedelta(days=14)
_SECRET: Final = re.compile(rf"{PREFIX}[A-Za-z0-9]{{{SECRET_CHARACTERS}}}")


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self, at: datetime | None = None) -> Self:
        """Those that still let anybody in: not revoked, not expired, their person active."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=at or now())
        return self.filter(unexpired, revoked_at=None, person__is_active=True)

    def expired(self) -> Self:
        """Those whose time is over; revoked ones are not among them."""
        return self.filter(expires_at__lte=now(), revoked_at=None)

    def idle(self, span: timedelta) -> Self:
        """Those that would let somebody in and have not done so for such a time."""
        before = now() - span
        return self.valid().filter(Q(last_used_at__lt=before) | Q(last_used_at=None, created_at__lt=before))

    def visible_to(self, person: Any) -> Self:
        """One's own; to an administrator everybody's."""
        if not person.is_authenticated:
            return self.none()
        return self if person.has_perm("accounts.change_apikey") else self.filter(person=person)

    def shown_by(self, secret: str) -> "ApiKey | None":
        """The valid key that this secret is; the one way in, whichever header it came in."""
        if not is_secret(secret):
            return None
        return self.valid().filter(digest=digest_of(secret)).select_related("person").first()


class ApiKey(models.Model):
    """The secret itself is shown once and kept nowhere: it is random enough for a plain digest to hide it."""

    person = models.ForeignKey("accounts.User", models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    beginning = models.CharField(max_length=20, editable=False)
    """The first characters of the secret, to know it by."""
    every_model = models.BooleanField(default=True)
    """Otherwise only those that are allowed one by one; none, once these are gone."""
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
        """Gives the key a new secret and returns it, the only time that it can be read; does not save."""
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
        """While there is still time to put another in its place."""
        return self.expires_at is not None and now() < self.expires_at <= now() + SOON

    def revoke(self) -> None:
        """Lets nobody in any more; harmless when it was revoked before."""
        ApiKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now())


def is_secret(text: str) -> bool:
    """Whether it could be the secret of a key."""
    return bool(_SECRET.fullmatch(text))


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_in(headers: Any) -> str:
    """What a caller shows, from `x-api-key` or `authorization: Bearer …`; the former wins, "" when there is neither.

    `headers` has lower-case names.
    """
    if key := headers.get("x-api-key", "").strip():
        return str(key)
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""
