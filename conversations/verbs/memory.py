"""From where on models remember: the oldest turns of a conversation are left out, visibly, and can be taken back in."""

from django.db import transaction

from accounts.models import User
from conversations.live import broadcasts
from conversations.models import Conversation, Message, Path
from conversations.prompt import window
from conversations.prompt.toolbox import definitions
from upstreams.models import ChatModel


def leave_out(path: Path, chat_model: ChatModel) -> Message | None:
    """Has models remember about half of what they can; returns where that begins, None when nothing can be left out."""
    conversation = path.branch.conversation
    with transaction.atomic():
        conversation.advance()
        begin = begin_later(path, chat_model)
    if begin:
        broadcasts.changed(conversation)
    return begin


def make_room(path: Path, chat_model: ChatModel | None, person: User) -> None:
    """For conversations that are to leave out their oldest turns by themselves; inside the caller's transaction."""
    conversation = path.branch.conversation
    if chat_model is None or not conversation.leaves_out_oldest:
        return
    if window.fill_of(path, chat_model, tools=definitions(conversation, person)).overflows:
        begin_later(path, chat_model)


def begin_later(path: Path, chat_model: ChatModel) -> Message | None:
    told = list(path.remembered().for_reading())
    tokens = window.estimate(told, path.branch.conversation, chat_model)
    begin = window.kept_from(told, tokens, chat_model.context_window)
    if begin:
        forget_beginnings(path)
        Message.objects.filter(pk=begin.pk).update(memory_begins=True, revision=path.branch.conversation.revision)
    return begin


def remember_all(path: Path) -> None:
    conversation = path.branch.conversation
    with transaction.atomic():
        conversation.advance()
        forget_beginnings(path)
    broadcasts.changed(conversation)


def forget_beginnings(path: Path) -> None:
    """One line a path: two would leave open which of them holds."""
    begun = path.messages.filter(memory_begins=True)
    begun.update(memory_begins=False, revision=path.branch.conversation.revision)


def always_leave_out(conversation: Conversation) -> None:
    """From now on without asking."""
    Conversation.objects.filter(pk=conversation.pk).update(leaves_out_oldest=True)
