"""The end of a reply, and saving it."""

from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.utils.timezone import now
from prometheus_client import Counter

from conversations.answering.permission import AskerGone, ModelOff
from conversations.answering.relay import Relay
from conversations.models import Generation, Message, State, ToolApproval
from conversations.models.generation import UNFINISHED
from conversations.models.message import blocks_to_continue, ends_in_tools
from conversations.prompt.toolbox import error_result, unanswered_calls
from ledger.booking.entries import CallRefused
from upstreams.errors import UpstreamError
from upstreams.models import USAGE_FIELDS

SAVED_FIELDS = (
    *USAGE_FIELDS,
    *("state", "error_kind", "error_message", "error_detail", "stop_reason", "notes"),
    *("thinking_seconds", "first_token_at", "cost", "finished_at", "rounds", "continues"),
)

ENDED: Final = Counter("chatsite_answers_ended", "Answers that ended; `queued` are those handed over.", ["state"])


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
INTERRUPTED: Final = Ending(State.INTERRUPTED)
"""Its process lost the reply, or had to end."""
HANDED_OVER: Final = Ending(State.QUEUED)
"""Its process had to end. The next one that claims the reply continues it."""

CONTINUED: Final = (
    "The server restarted while the model was writing this answer. The model continued its text, and the place where "
    "it did may show."
)
CUT_OFF: Final = (
    "The server restarted during this call, so its result is lost. The call may have taken effect: check before you "
    "repeat it."
)


@transaction.atomic
def save_ending(relay: Relay, ending: Ending) -> Message:
    """Saves the reply and its figures.

    If it should go on later, but a person has stopped it, it ends as stopped. Raises Generation.NotUpdated if its
    conversation was deleted for good or another process has taken the reply.
    """
    generation, draft = relay.generation, relay.draft
    if ending.state in UNFINISHED and is_stop_asked(generation):
        ending = STOPPED
    generation.state = ending.state
    generation.error_kind, generation.error_message = ending.error_kind, ending.error_message
    generation.error_detail = ending.error_detail or draft.explanation
    generation.stop_reason = draft.stop_reason or ""
    generation.thinking_seconds, generation.first_token_at = relay.thinking_seconds, relay.first_token_at
    generation.usage = draft.total_usage
    generation.cost = generation.calculate_cost()
    generation.finished_at = None if generation.is_unfinished else now()
    figures = {name: getattr(generation, name) for name in SAVED_FIELDS}
    if not Generation.objects.claimed_as(generation).update(**figures):
        raise Generation.NotUpdated
    ToolApproval.objects.bulk_create(
        ToolApproval(generation=generation, use_id=use_id) for use_id in ending.needs_approval
    )
    transaction.on_commit(ENDED.labels(str(ending.state)).inc)
    revision = generation.conversation.advance()
    blocks = draft.blocks or relay.message.blocks
    Message.objects.filter(pk=relay.message.pk).update(blocks=blocks, revision=revision)
    return Message.objects.for_reading().get(pk=relay.message.pk)


def is_stop_asked(generation: Generation) -> bool:
    """Whether a person has asked to stop it. Locks the row, so that nobody does until the transaction ends."""
    asked = Generation.objects.claimed_as(generation).select_for_update().values_list("stop_asked_at", flat=True)
    return asked.first() is not None


def prepare_handover(relay: Relay, *, tools_have_begun: bool) -> None:
    """Leaves the reply in a state from which another process can continue it without running a tool twice."""
    generation, draft = relay.generation, relay.draft
    if not tools_have_begun:
        draft.drop_unfinished_call()
    else:
        for call in unanswered_calls(draft.blocks):
            draft.add_result(error_result(call, CUT_OFF))
    left = blocks_to_continue(draft.blocks)
    generation.continues = bool(left)
    generation.rounds = max(generation.rounds, 1) if ends_in_tools(left) else 0
    if left:
        generation.add_notes(CONTINUED)
