"""Allowing or refusing the tools that a model calls."""

from django.db import transaction
from django.utils.timezone import now

from conversations.answering import replies
from conversations.live import broadcasts
from conversations.models import Decision, Generation, Message, State, ToolCall, ToolGrant
from tools.models import Tool


def decide(call: ToolCall, *, is_allowed: bool, for_good: bool = False) -> None:
    """Allows or refuses a call. Once all calls are decided, the answer continues. Deciding it again changes nothing.

    If it is allowed `for_good`, the tool needs no more approval in this conversation for answers to this person.
    """
    generation = call.generation
    conversation = generation.conversation
    with transaction.atomic():
        conversation.lock()
        undecided = ToolCall.objects.filter(generation=generation, decision="", generation__state=State.WAITING)
        if not undecided.filter(pk=call.pk).exists():
            return
        conversation.advance()
        decided = [call]
        if is_allowed and for_good and (tool := tool_of(call)):
            ToolGrant.objects.get_or_create(conversation=conversation, person=generation.asked_by, tool=tool)
            decided = [each for each in undecided.all() if tool_of(each) == tool]
        decision = Decision.ALLOWED if is_allowed else Decision.REFUSED
        undecided.filter(pk__in=[each.pk for each in decided]).update(decision=decision, decided_at=now())
        is_next = not undecided.exists()
        if is_next:
            Generation.objects.filter(pk=generation.pk, state=State.WAITING).update(state=State.QUEUED)
        Message.objects.filter(pk=generation.message_id).update(revision=conversation.revision)
    broadcasts.announce_revision(conversation)
    if is_next:
        replies.generate.enqueue(generation.pk)


def tool_of(call: ToolCall) -> Tool | None:
    """The tool that a call names, if it still exists."""
    names = [block.get("name") for block in call.generation.message.blocks if block.get("id") == call.use_id]
    return Tool.objects.filter(wire_name__in=names).first()
