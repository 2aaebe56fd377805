"""Allowing or refusing the tools that a model calls."""

from django.db import transaction
from django.utils.timezone import now

from conversations.answering import replies
from conversations.live import broadcasts
from conversations.models import Decision, Generation, Message, State, ToolApproval, ToolGrant
from tools.models import Tool


def decide(approval: ToolApproval, *, is_allowed: bool, for_good: bool = False) -> None:
    """Allows or refuses a call. Once all calls are decided, the answer continues. Deciding it again changes nothing.

    If it is allowed `for_good`, the tool needs no more approval in this conversation for answers to this person.
    """
    generation = approval.generation
    conversation = generation.conversation
    with transaction.atomic():
        conversation.lock()
        undecided = ToolApproval.objects.filter(generation=generation, decision="", generation__state=State.WAITING)
        if not undecided.filter(pk=approval.pk).exists():
            return
        conversation.advance()
        decided = [approval]
        if is_allowed and for_good and (tool := find_tool(approval)):
            ToolGrant.objects.get_or_create(conversation=conversation, person=generation.asked_by, tool=tool)
            decided = [each for each in undecided.all() if find_tool(each) == tool]
        decision = Decision.ALLOWED if is_allowed else Decision.REFUSED
        undecided.filter(pk__in=[each.pk for each in decided]).update(decision=decision, decided_at=now())
        is_next = not undecided.exists()
        if is_next:
            Generation.objects.filter(pk=generation.pk, state=State.WAITING).update(state=State.QUEUED)
        Message.objects.filter(pk=generation.message_id).update(revision=conversation.revision)
    broadcasts.announce_revision(conversation)
    if is_next:
        replies.generate.enqueue(generation.pk)


def find_tool(approval: ToolApproval) -> Tool | None:
    """Returns the tool that the call names, if it still exists."""
    names = [block.get("name") for block in approval.generation.message.blocks if block.get("id") == approval.use_id]
    return Tool.objects.filter(wire_name__in=names).first()
