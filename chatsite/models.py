"""The history of the database itself, and the processes that use it now."""

import secrets

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


def random_key() -> int:
    return secrets.randbits(62) + 1


class Process(models.Model):
    """A running process that writes answers. It loses what it is writing when its row is deleted (see `lease`)."""

    id = models.BigIntegerField(primary_key=True, default=random_key)
    beat = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(default=now)

    class Meta:
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return f"{self.pk:x}"
