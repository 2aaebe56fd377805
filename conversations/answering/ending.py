"""The end of a reply, and saving it."""

from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.utils.timezone import now

from conversations.answering.permission import AskerGone, ModelOff
from conversations.answering.relay import Relay
from conversations.models import Generation, Message, State, ToolApproval
from ledger.booking.entries import CallRefused
from upstreams.errors import UpstreamError
from upstreams.models import USAGE_FIELDS

SAVED_FIELDS = (
    *USAGE_FIELDS,
    *("state", "error_kind", "error_message", "error_detail", "stop_reason", "notes"),
    *("thinking_seconds", "first_token_at", "cost", "finished_at", "rounds"),
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a reply ended. While it waits for approval, `needs_approval` has the ids of the calls."""

    state: State
    error_kind: str = ""
    error_message: str = ""
    error_detail: str = ""
    needs_approval: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, failure: UpstreamError | CallRefused | ModelOff | AskerGone, detail: str = "", *, has_content: bool
    ) -> "Ending":
        """Returns the end of a reply that failed or may not go on. One that failed with content was interrupted."""
        state = State.INTERRUPTED if has_content else State.FAILED
        if isinstance(failure, AskerGone):
            state = State.STOPPED
        return cls(state, failure.kind, str(failure), detail)


STOPPED: Final = Ending(State.STOPPED)
"""A person stopped the reply."""


@transaction.atomic
def save_ending(relay: Relay, ending: Ending) -> Message:
    """Saves the reply and its figures.

    Raises Generation.NotUpdated if its conversation was deleted for good or another process has taken the reply.
    """
    generation, draft = relay.generation, relay.draft
    generation.state = ending.state
    generation.error_kind, generation.error_message = ending.error_kind, ending.error_message
    generation.error_detail = ending.error_detail or draft.explanation
    generation.stop_reason = draft.stop_reason or ""
    generation.thinking_seconds, generation.first_token_at = relay.thinking_seconds, relay.first_token_at
    generation.usage = draft.total_usage
    generation.cost = generation.calculate_cost()
    generation.finished_at = None if ending.needs_approval else now()
    mine = Generation.objects.running().filter(pk=generation.pk, claims=generation.claims)
    if not mine.update(**{name: getattr(generation, name) for name in SAVED_FIELDS}):
        raise Generation.NotUpdated
    ToolApproval.objects.bulk_create(
        ToolApproval(generation=generation, use_id=use_id) for use_id in ending.needs_approval
    )
    revision = generation.conversation.advance()
    blocks = draft.blocks or relay.message.blocks
    Message.objects.filter(pk=relay.message.pk).update(blocks=blocks, revision=revision)
    return Message.objects.for_reading().get(pk=relay.message.pk)
