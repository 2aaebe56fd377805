"""Trims what models get of a conversation: its oldest turns are left out, visibly, and can be included again."""

from django.db import transaction

from accounts.models import User
from conversations.live import broadcasts
from conversations.models import Conversation, Message, Path
from conversations.prompt import window
from conversations.prompt.toolbox import definitions
from upstreams.models import ChatModel


def trim_oldest_turns(path: Path, chat_model: ChatModel) -> Message | None:
    """Leaves out the oldest turns, so that about half of the context window is free.

    Returns the first message that models still get, or None if nothing can be left out.
    """
    with transaction.atomic():
        path.conversation.advance()
        first = move_start(path, chat_model)
    if first:
        broadcasts.announce_revision(path.conversation)
    return first


def trim_if_full(path: Path, chat_model: ChatModel | None, person: User) -> Message | None:
    """Trims a conversation that is set to trim itself. Belongs in a transaction that has advanced it."""
    conversation = path.conversation
    if chat_model is None or not conversation.leaves_out_oldest:
        return None
    is_full = window.fill_of(path, chat_model, tools=definitions(conversation, person)).overflows
    return move_start(path, chat_model) if is_full else None


def move_start(path: Path, chat_model: ChatModel) -> Message | None:
    told = list(path.remembered().for_prompt())
    tokens = window.estimate(told, path.conversation, chat_model)
    first = window.find_first_to_keep(told, tokens, chat_model.context_window)
    if first:
        clear_starts(path)
        Message.objects.filter(pk=first.pk).update(memory_begins=True, revision=path.conversation.revision)
    return first


def include_all_turns(path: Path) -> None:
    """Gives models the whole path again."""
    with transaction.atomic():
        path.conversation.advance()
        clear_starts(path)
    broadcasts.announce_revision(path.conversation)


def clear_starts(path: Path) -> None:
    """A path has one start: with two, it would be open which one counts."""
    path.messages.filter(memory_begins=True).update(memory_begins=False, revision=path.conversation.revision)


def trim_automatically(conversation: Conversation) -> None:
    """From now on, the conversation trims itself whenever the next turn would not fit."""
    Conversation.objects.filter(pk=conversation.pk).update(leaves_out_oldest=True)
