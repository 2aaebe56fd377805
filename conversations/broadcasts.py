"""Everything that viewers are ever told: rendered once, the same for all who listen."""

from collections.abc import Iterable

from django.template.loader import render_to_string

from conversations.blocks import ShownBlock, shown_blocks
from conversations.hub import Frame, conversation_topic, hub
from conversations.models import Conversation, Message, Role

CATCH_UP_LIMIT = 60
"""Changed messages that are sent one by one; a page further behind loads the latest anew."""


def article(message: Message, blocks: list[ShownBlock] | None = None) -> str:
    """A message as HTML; `blocks` stand for those of the row while a reply grows."""
    if blocks is None:
        blocks = shown_blocks(message.pk, message.blocks, breaks=message.role == Role.USER)
    return render_to_string("conversations/_message.html", {"message": message, "blocks": blocks})


def block_html(block: ShownBlock) -> str:
    return render_to_string("conversations/_block.html", {"block": block})


def partial(target: str, swap: str, html: str) -> str:
    """One instruction to a page: what to do with `html` at the CSS selector `target`."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def added(messages: Iterable[Message]) -> str:
    """Messages for a page that may or may not have them yet."""
    return partial("#messages", "upsert", "".join(map(article, messages)))


def replaced(message: Message, blocks: list[ShownBlock] | None = None) -> str:
    return partial(f"#m{message.pk}", "outerMorph", article(message, blocks))


def changes_since(conversation_pk: int, revision: int | None) -> tuple[str, int]:
    """What a page drawn at `revision` lacks, and the revision it is then at; None: it was drawn just now."""
    conversation = Conversation.objects.get(pk=conversation_pk)
    if revision is None or revision >= conversation.revision:
        return "", conversation.revision
    changed = conversation.messages.filter(revision__gt=revision).for_reading()[: CATCH_UP_LIMIT + 1]
    html = titled(conversation)
    if len(changed) > CATCH_UP_LIMIT:
        html += render_to_string("conversations/updates/load_anew.html", {"conversation": conversation})
    elif changed:
        html += added(changed)
    return html, conversation.revision


def titled(conversation: Conversation) -> str:
    return render_to_string("conversations/updates/titled.html", {"conversation": conversation})


def renamed(conversation: Conversation) -> None:
    tell(conversation.pk, Frame(titled(conversation), revision=conversation.revision))


def turn_posted(messages: list[Message]) -> None:
    """A person spoke and a reply is owed."""
    tell(messages[0].conversation_id, Frame(added(messages), revision=messages[0].revision))


def message_changed(message: Message) -> None:
    tell(message.conversation_id, Frame(replaced(message), revision=message.revision))


def tell(conversation_pk: int, frame: Frame) -> None:
    hub.publish(conversation_topic(conversation_pk), frame)
