"""What people do in a conversation: start one, speak, stop a reply."""

from asgiref.sync import async_to_sync
from django.db import transaction
from django.utils.timezone import now

from accounts.models import User
from conversations import broadcasts, runner
from conversations.markdown import title_from
from conversations.models import Conversation, Generation, Message, Participant, State
from upstreams.models import ChatModel


@transaction.atomic
def begin(owner: User, **settings: object) -> Conversation:
    """A conversation of one's own, with nothing said in it yet."""
    conversation = Conversation.objects.create(**settings)
    conversation.participants.create(user=owner, role=Participant.Role.OWNER)
    return conversation


def post(conversation: Conversation, author: User, text: str, chat_model: ChatModel | None) -> Generation:
    """A person speaks; a model is set to answer, and answers every conversation's turns in their order."""
    with transaction.atomic():
        generation = conversation.post_turn(author, text, chat_model)
        choices = {"chat_model": chat_model} | ({} if conversation.title else {"title": title_from(text)})
        Conversation.objects.filter(pk=conversation.pk).update(**choices)
    turn = conversation.messages.filter(revision=conversation.revision)
    broadcasts.turn_posted(list(turn.for_reading()))
    runner.generate.enqueue(generation.pk)
    return generation


def stop(generation: Generation) -> None:
    """Ends a reply; what was written stays. Harmless when it has ended already."""
    with transaction.atomic():
        unfinished = Generation.objects.unfinished().filter(pk=generation.pk)
        unfinished.update(stop_asked_at=now())
        still_queued = unfinished.filter(state=State.QUEUED)
        if still_queued.update(state=State.STOPPED, finished_at=now()):
            changed = mark_changed(generation.message)
        else:
            changed = None
    if changed:
        broadcasts.message_changed(changed)
        async_to_sync(runner.start_next)(generation.conversation_id)
    else:
        runner.stop(generation.pk)


def mark_changed(message: Message) -> Message:
    """Gives the message a new revision, inside the caller's transaction; returns it ready to be drawn."""
    Message.objects.filter(pk=message.pk).update(revision=message.conversation.advance())
    return Message.objects.for_reading().get(pk=message.pk)


def recover() -> list[int]:
    """After a start, when no other process runs replies: ends what a crash left running.

    What had been saved is kept and labelled interrupted. Returns the generations
    that are still to be begun.
    """
    for generation in Generation.objects.filter(state=State.RUNNING).select_related("message__conversation"):
        with transaction.atomic():
            left = Generation.objects.filter(pk=generation.pk, state=State.RUNNING)
            if left.update(state=State.INTERRUPTED, finished_at=now()):
                mark_changed(generation.message)
    return list(Generation.objects.next_in_line().values_list("pk", flat=True))
