"""Beginning a conversation with a summary of an earlier one."""

from django.db import transaction

from accounts.models import User
from conversations.models import Conversation, Message, Path, Role
from conversations.models.attachment import reference_in
from conversations.verbs import turns
from conversations.verbs.forking import settings_of
from ledger.token_estimates import BYTES_PER_TOKEN
from upstreams.models import ChatModel

SUMMARY_REQUEST = (
    "Below is an earlier conversation that we want to continue here. Summarise it: its topic, the findings and "
    "decisions, and the open questions, with all names, figures and code that we need to continue. Then wait for my "
    "next message."
)
BEGINNING_LEFT_OUT = "[The beginning is left out.]"
LARGEST = 200_000
"""Bytes of the earlier conversation."""
USUAL_WINDOW = 32_000
"""The assumed context window of a model whose window is not known, in tokens."""


@transaction.atomic
def begin_with_summary(path: Path, person: User, chat_model: ChatModel | None) -> Conversation:
    """Begins a conversation with the same settings, in which the model summarises as much of this one as fits."""
    settings = settings_of(path.conversation) | {"chat_model": chat_model}
    new = turns.begin(person, title=f"{str(path.conversation)[:180]}, continued", **settings)
    turns.post(Path.through(new), person, write_request(path, chat_model), chat_model)
    return new


def write_request(path: Path, chat_model: ChatModel | None) -> str:
    window = chat_model.context_window if chat_model else None
    # Half of the window is left to continue in. Markup and short words have fewer bytes per token than usual.
    room = min(LARGEST, (window or USUAL_WINDOW) // 2 * (BYTES_PER_TOKEN - 1))
    parts: list[str] = []
    for message in path.messages.for_prompt().order_by("-pk"):
        words = describe_message(message)
        room -= len(words.encode())
        if room < 0:
            parts.append(BEGINNING_LEFT_OUT)
            break
        if words:
            parts.append(words)
    return "\n\n".join([SUMMARY_REQUEST, "---", *reversed(parts)])


def describe_message(message: Message) -> str:
    files = [f"[file: {block.get('name', 'file')}]" for block in message.blocks if reference_in(block)]
    content = "\n".join(filter(None, [*files, message.text.strip()]))
    if message.role == Role.USER:
        speaker = str(message.author or "Former user")
    else:
        speaker = (message.generation and message.generation.model_name) or "Model"
    return f"**{speaker}:** {content}" if content else ""
