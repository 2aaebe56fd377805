"""A new conversation that begins with what an earlier one came to."""

from django.db import transaction

from accounts.models import User
from conversations.models import Conversation, Message, Path, Role
from conversations.models.attachment import reference_in
from conversations.verbs import turns
from ledger.sizes import BYTES_A_TOKEN
from upstreams.models import ChatModel

ASKED_FOR = (
    "Below is a conversation from before, which we want to go on with here. Sum it up: what it is about, what was "
    "found out and decided, and what is still open, with all names, figures and code that are needed to go on. "
    "Then wait for what I ask next."
)
BEGINNING_LEFT_OUT = "[What was said at the beginning is left out here.]"
LARGEST = 200_000
"""Bytes of the earlier conversation."""
WITHOUT_WINDOW = 32_000
"""Tokens that a model is taken to read where nobody has said how many."""


@transaction.atomic
def begin_with_summary(path: Path, person: User, chat_model: ChatModel | None) -> Conversation:
    """The model is told what was said, as far as it fits, and asked to sum it up. It has the same settings."""
    source = path.branch.conversation
    settings = {name: getattr(source, name) for name in turns.CARRIED_OVER} | {"chat_model": chat_model}
    begun = turns.begin(person, title=f"{str(source)[:180]}, continued", **settings)
    turns.post(begun.path(), person, request_in_words(path, chat_model), chat_model)
    return begun


def request_in_words(path: Path, chat_model: ChatModel | None) -> str:
    window = chat_model.context_window if chat_model else None
    # Half of what the model reads is for going on; marks and short words make for fewer bytes a token.
    room = min(LARGEST, (window or WITHOUT_WINDOW) // 2 * (BYTES_A_TOKEN - 1))
    said: list[str] = []
    for message in path.messages.for_reading().order_by("-pk"):
        words = in_words(message)
        room -= len(words.encode())
        if room < 0:
            said.append(BEGINNING_LEFT_OUT)
            break
        if words:
            said.append(words)
    return "\n\n".join([ASKED_FOR, "---", *reversed(said)])


def in_words(message: Message) -> str:
    files = [f"[file: {block.get('name', 'file')}]" for block in message.blocks if reference_in(block)]
    said = "\n".join(filter(None, [*files, message.text.strip()]))
    if message.role == Role.USER:
        speaker = str(message.author or "Somebody who left")
    else:
        speaker = (message.generation and message.generation.model_name) or "Model"
    return f"**{speaker}:** {said}" if said else ""
