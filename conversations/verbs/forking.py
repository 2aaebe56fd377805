"""Copying a conversation up to one of its messages."""

from typing import Final

from django.db import transaction

from accounts.models import User
from conversations.live import broadcasts
from conversations.live.sidebar import SidebarRow
from conversations.models import Attachment, Conversation, Generation, Message, Path, State
from conversations.models.conversation import PARAMETERS
from conversations.verbs.turns import begin
from conversations.verbs.writing import add_message

COPIED_SETTINGS: Final = ("chat_model", *PARAMETERS)
COPIED_FIELDS: Final = ("role", "author", "created_at", "memory_begins")


@transaction.atomic
def fork(last: Message, owner: User) -> Conversation:
    """Creates a conversation owned by `owner`, with a copy of everything up to `last`."""
    source = last.conversation
    copy = begin(owner, title=source.title, **settings_of(source))
    copy.tools.set(source.tools.all())
    copy.advance()
    path, after = Path.through(copy), None
    for message in Path.to(last.branch).messages.filter(pk__lte=last.pk).for_reading():
        blocks, files = Attachment.objects.copy_referenced(message.blocks)
        fields = {name: getattr(message, name) for name in COPIED_FIELDS}
        copied = add_message(path.branch, after, attached=files, blocks=blocks, **fields)
        if message.generation:
            copy_generation(message.generation, copied)
        after = copied.pk
    transaction.on_commit(lambda: broadcasts.move_to_top(SidebarRow.of(copy)))
    return copy


def settings_of(conversation: Conversation) -> dict[str, object]:
    return {name: getattr(conversation, name) for name in COPIED_SETTINGS}


def copy_generation(generation: Generation, message: Message) -> None:
    """Copies a generation. No process writes the copy, so an unfinished one becomes interrupted."""
    generation.pk, generation.conversation, generation.message = None, message.conversation, message
    generation.state = State.INTERRUPTED if generation.is_unfinished else generation.state
    generation.save(force_insert=True)
