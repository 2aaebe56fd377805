"""The calls to upstreams that generations made, each an entry of the ledger."""

from django.db import models

from conversations.models.generation import Generation
from ledger.models import Entry


class GenerationCall(models.Model):
    """Links an entry to its generation. The ledger lies below conversations, so the key is here and not in the entry.

    A generation has several: one for each round of tools, and one more when the upstream refused its first request.
    """

    entry = models.OneToOneField(Entry, models.CASCADE, primary_key=True, related_name="+")
    generation = models.ForeignKey(Generation, models.CASCADE, related_name="calls")

    def __str__(self) -> str:
        return f"Call {self.entry_id} of generation {self.generation_id}"
