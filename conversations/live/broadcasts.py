"""Everything that viewers are ever told: rendered once, the same for all who listen."""

from collections.abc import Iterator
from typing import Any

from django.template.loader import render_to_string

from conversations.live.blocks import ShownBlock, shown_blocks
from conversations.live.hub import CHECK_AGAIN, Frame, conversation_topic, hub, person_topic
from conversations.live.sidebar import place_of
from conversations.models import Conversation, Message, Path, State
from conversations.prompt.toolbox import AtHand

CATCH_UP_LIMIT = 60
"""Changed messages that are sent one by one; a page further behind loads the latest anew."""


def element(template: str, context: dict[str, Any]) -> str:
    """Renders one element without whitespace around it, which each morph would add to the page again."""
    return render_to_string(template, context).strip()


def article(message: Message, blocks: list[ShownBlock] | None = None) -> str:
    """A message as HTML; `blocks` stand for those of the row while a reply grows."""
    if message.deleted_at:
        return element("conversations/_message_deleted.html", {"message": message})
    if blocks is None:
        blocks = shown_blocks(message)
    return element("conversations/_message.html", {"message": message, "blocks": blocks})


def block_html(block: ShownBlock, message: Message) -> str:
    return element("conversations/_block.html", {"block": block, "message": message})


def partial(target: str, swap: str, html: str = "") -> str:
    """One instruction to a page: what to do with `html` at the CSS selector `target`."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def replaced(message: Message, blocks: list[ShownBlock] | None = None) -> str:
    return partial(f"#m{message.pk}", "outerMorph", article(message, blocks))


def added(message: Message, blocks: list[ShownBlock] | None = None) -> str:
    """For a page that may have the message already: it stands there once in any case."""
    return partial("#messages", "upsert", article(message, blocks))


def brought(message: Message, since: int) -> str:
    """A message that changed, for a page of revision `since`, which may or may not have it."""
    if message.deleted_at and not message.versions:
        return partial(f"#m{message.pk}", "delete")
    if message.shown_since > since:
        return added(message)
    return replaced(message)


def changes_since(path: Path, revision: int | None) -> tuple[list[tuple[int, str]], int]:
    """What a page drawn at `revision` lacks, and the revision it is then at; None: it was drawn just now.

    Each piece of HTML comes with the key of the message that it is about, or 0.
    """
    conversation = Conversation.objects.get(pk=path.branch.conversation_id)
    if revision is None or revision >= conversation.revision:
        return [], conversation.revision
    on_path = [message for message in changed_messages(conversation, revision) if includes(path, message)]
    if len(on_path) > CATCH_UP_LIMIT:
        context = {"conversation": conversation, "path": path}
        updates = [(0, str(render_to_string("conversations/updates/load_anew.html", context)))]
    else:
        updates = [(message.pk, brought(message, revision)) for message in on_path]
    return [*((0, html) for html in titled(conversation)), *updates], conversation.revision


def changed_messages(conversation: Conversation, since: int) -> Iterator[Message]:
    return iter(conversation.messages.filter(revision__gt=since).for_reading().order_by("pk"))


def includes(path: Path, message: Message) -> bool:
    return path.includes(message.branch_id, message.pk)


def changed(conversation: Conversation) -> None:
    """Tells everybody of the messages that the conversation's latest revision brought or changed."""
    for message in changed_messages(conversation, conversation.revision - 1):
        tell(conversation.pk, change_of(message))
    all_is_told(conversation.pk, conversation.revision)


def all_is_told(conversation_pk: int, revision: int) -> None:
    """The end of what a revision brought: who has heard of all those before it lacks nothing of this one, either."""
    tell(conversation_pk, Frame("", revision=revision))


def change_of(message: Message) -> Frame:
    frame = Frame(
        brought(message, message.revision - 1),
        revision=message.revision,
        branch=message.branch_id,
        message=message.pk,
    )
    if message.state == State.RUNNING and message.generation and not message.deleted_at:
        # The row is older than what viewers have read. Catching up ends with the running reply's snapshot.
        frame = frame._replace(html="", must_catch_up=True)
    return frame


def tell(conversation_pk: int, frame: Frame) -> None:
    hub.publish(conversation_topic(conversation_pk), frame)


# ---------------------------------------------------------------- the conversation itself, and people's lists of them


def titled(conversation: Conversation) -> list[str]:
    context = {"conversation": conversation}
    return [render_to_string(f"conversations/updates/{name}.html", context) for name in ("title", "title_field")]


def renamed(conversation: Conversation) -> None:
    for html in titled(conversation):
        tell(conversation.pk, Frame(html, revision=conversation.revision))
    all_is_told(conversation.pk, conversation.revision)
    relisted(conversation)


def listed(conversation: Conversation) -> None:
    """It has moved to the head of everybody's list."""
    for person_pk in people_in(conversation):
        listed_for(conversation, person_pk)


def listed_for(conversation: Conversation, person_pk: int) -> None:
    """Somebody was let in: it stands at the head of their list until they load it anew."""
    # In one frame: between two, somebody else who speaks at the same moment would put the line there a second time.
    html = gone_from_list(conversation) + partial("#conversations", "afterbegin", list_row(conversation))
    hub.publish(person_topic(person_pk), Frame(html))


def members_changed(conversation: Conversation) -> None:
    """The faces in the header."""
    participants = conversation.participants.select_related("user").order_by("pk")
    context = {"conversation": conversation, "participants": participants}
    tell(conversation.pk, Frame(partial("#faces", "outerMorph", element("conversations/_faces.html", context))))


def tools_chosen(conversation: Conversation) -> None:
    """The button in the composer, which tells each person how many of the tools that are open to them are chosen."""
    # A person's tabs may show other conversations, with a button of their own.
    target = f"#tools-button[data-conversation='{conversation.pk}']"
    for participant in conversation.participants.select_related("user"):
        tools = AtHand.of(conversation, participant.user)
        if tools.offered:
            context = {"conversation": conversation, "tools": tools}
            button = element("conversations/_tools_button.html", context)
            hub.publish(person_topic(participant.user_id), Frame(partial(target, "outerMorph", button)))


def relisted(conversation: Conversation) -> None:
    """It stays where it stands in the lists and looks different: renamed, an answer began or ended."""
    row = partial(f"#conversation-{conversation.pk}", "outerMorph", list_row(conversation))
    for person_pk in people_in(conversation):
        hub.publish(person_topic(person_pk), Frame(row))


def unlist(conversation: Conversation, person_pk: int) -> None:
    hub.publish(person_topic(person_pk), Frame(gone_from_list(conversation)))


def gone_from_list(conversation: Conversation) -> str:
    return partial(f"#conversation-{conversation.pk}", "delete")


def shut_out(conversation: Conversation, person_pk: int) -> None:
    """Somebody takes no part any more: gone from their list, and their open tabs close."""
    unlist(conversation, person_pk)
    hub.publish(person_topic(person_pk), CHECK_AGAIN)


def list_row(conversation: Conversation) -> str:
    return element("conversations/_conversation.html", {"place": place_of(conversation)})


def people_in(conversation: Conversation) -> list[int]:
    return list(conversation.participants.values_list("user", flat=True))


def saving_is_behind(conversation_pk: int, *, is_behind: bool) -> None:
    html = render_to_string("conversations/updates/saving.html", {"is_behind": is_behind})
    tell(conversation_pk, Frame(html))
