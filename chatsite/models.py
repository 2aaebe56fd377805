"""The history of the database itself."""

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
