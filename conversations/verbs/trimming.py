"""Trims what models get of a conversation. A line shows where their context starts, and trimming can be undone."""

from collections.abc import Sequence

from django.db import transaction

from accounts.models import User
from conversations.live import broadcasts
from conversations.models import Conversation, Message, Path
from conversations.prompt import window
from conversations.prompt.toolbox import load_definitions
from upstreams.chat import Block
from upstreams.models import ChatModel


def trim_oldest_turns(path: Path, chat_model: ChatModel, person: User) -> Message | None:
    """Leaves out the oldest turns, so that about half of the context window is free.

    Returns the first message that models still get, or None if nothing can be left out.
    """
    with transaction.atomic():
        path.conversation.advance()
        first = move_start(path, chat_model, load_definitions(path.conversation, person))
    if first:
        broadcasts.announce_revision(path.conversation)
    return first


def trim_if_full(path: Path, chat_model: ChatModel | None, person: User) -> Message | None:
    """Trims a conversation that trims automatically. Callers need a transaction that has advanced it."""
    conversation = path.conversation
    if chat_model is None or not conversation.leaves_out_oldest:
        return None
    tools = load_definitions(conversation, person)
    is_full = window.measure_fill(path, chat_model, tools=tools).overflows
    return move_start(path, chat_model, tools) if is_full else None


def move_start(path: Path, chat_model: ChatModel, tools: Sequence[Block]) -> Message | None:
    messages = list(path.in_context().for_prompt())
    tokens = window.estimate(messages, path.conversation, chat_model, tools)
    first = window.find_first_to_keep(messages, tokens, chat_model.context_window)
    if first:
        clear_starts(path)
        Message.objects.filter(pk=first.pk).update(memory_begins=True, revision=path.conversation.revision)
    return first


def undo_trimming(path: Path) -> None:
    """Gives models the whole path again."""
    with transaction.atomic():
        path.conversation.advance()
        clear_starts(path)
    broadcasts.announce_revision(path.conversation)


def clear_starts(path: Path) -> None:
    """Clears all starts of a path. Only the last one counts, but pages show each."""
    path.messages.filter(memory_begins=True).update(memory_begins=False, revision=path.conversation.revision)


def trim_automatically(conversation: Conversation) -> None:
    """Sets the conversation to trim whenever the next turn would not fit."""
    Conversation.objects.filter(pk=conversation.pk).update(leaves_out_oldest=True)
