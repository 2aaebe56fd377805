"""The history of the database itself, and the processes that use it now."""

import secrets
from typing import Self

from django.db import models
from django.utils.timezone import now


class Upgrade(models.Model):
    """A version of chatsite that has migrated the database. The last row names the latest."""

    version = models.CharField(max_length=40)
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.version


class KeyFingerprint(models.Model):
    """Tells whether a process has the SECRET_KEY or SEALING_KEY that the database was last used with (see `keys`)."""

    setting = models.CharField(max_length=40, primary_key=True)
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.setting


def random_key() -> int:
    return secrets.randbits(62) + 1


class Process(models.Model):
    """A running process that writes answers. It loses what it is writing when its row is deleted (see `lease`)."""

    id = models.BigIntegerField(primary_key=True, default=random_key)
    beat = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(default=now)
    takes_work = models.BooleanField(default=True, db_default=True)
    """Whether it writes answers. Processes of an earlier version, which all may, do not set it."""

    class Meta:
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.pk:x}"


class ErrorGroupQuerySet(models.QuerySet["ErrorGroup"]):
    def unresolved(self) -> Self:
        return self.filter(resolved_at=None)

    def resolved(self) -> Self:
        return self.exclude(resolved_at=None)

    def with_reference(self, reference: str) -> Self:
        """Groups of which one of the latest errors has this request id."""
        # `icontains` would find `req` for `réq`, and ids have plain letters.
        return self.filter(references__icontains=reference) if reference.isascii() else self.none()


class ErrorGroup(models.Model):
    """Events that were logged as errors for the same reason, from all processes. Texts are those of the latest."""

    fingerprint = models.CharField(max_length=64, unique=True)
    logger = models.TextField(blank=True)
    exception = models.TextField(blank=True)
    """The name of its type, if the event has one."""
    place = models.TextField(blank=True)
    """Where in the code: a file and a function."""
    message = models.TextField(blank=True)
    description = models.TextField(blank=True)
    """The type and the message of the exception."""
    traceback = models.TextField(blank=True)
    version = models.CharField(max_length=40, blank=True)
    count = models.BigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    references = models.TextField(blank=True)
    """The latest request ids, the last one first, separated by spaces."""
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = ErrorGroupQuerySet.as_manager()

    class Meta:
        ordering = ["-last_at", "-pk"]
        verbose_name = "error group"

    def __str__(self) -> str:
        return self.description or self.message
