"""The tokens of one call as columns, for every row that stores a usage."""

from dataclasses import fields
from typing import Final

from django.db import models

from upstreams.events import Usage

USAGE_FIELDS: Final = tuple(field.name for field in fields(Usage))


class UsageColumns(models.Model):
    """One column for each figure of `Usage`; NULL when the figure is unknown."""

    input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    cache_read_tokens = models.BigIntegerField(null=True)
    cache_write_tokens = models.BigIntegerField(null=True)
    thinking_tokens = models.BigIntegerField(null=True)

    class Meta:
        abstract = True

    @property
    def usage(self) -> Usage:
        return Usage(**{name: getattr(self, name) for name in USAGE_FIELDS})

    @usage.setter
    def usage(self, usage: Usage) -> None:
        for name in USAGE_FIELDS:
            setattr(self, name, getattr(usage, name))
