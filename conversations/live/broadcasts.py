"""Updates for viewers. Each is rendered once and is the same for all."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.template.loader import render_to_string

from conversations.live.blocks import ShownBlock, shown_blocks
from conversations.live.hub import CHECK_AGAIN, Frame, conversation_topic, hub, person_topic
from conversations.live.sidebar import SidebarRow
from conversations.models import Conversation, Message, MessageQuerySet, Path, State
from conversations.prompt.toolbox import ToolCounts

CATCH_UP_LIMIT = 60
"""Changed messages that are sent one by one. A page that lacks more loads the latest messages again."""


def render_element(template: str, context: dict[str, Any]) -> str:
    """Renders one element without whitespace around it, which each morph would add to the page again."""
    return render_to_string(template, context).strip()


def render_message(message: Message, blocks: list[ShownBlock] | None = None) -> str:
    """Renders a message. Pass `blocks` for a growing reply, which is ahead of its row."""
    if message.deleted_at:
        return render_element("conversations/_message_deleted.html", {"message": message})
    if blocks is None:
        blocks = shown_blocks(message)
    return render_element("conversations/_message.html", {"message": message, "blocks": blocks})


def render_block(block: ShownBlock, message: Message) -> str:
    return render_element("conversations/_block.html", {"block": block, "message": message})


def render_partial(target: str, swap: str, html: str = "") -> str:
    """Returns an instruction to a page: swap `html` in at the CSS selector `target`."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def render_replacement(message: Message, blocks: list[ShownBlock] | None = None) -> str:
    return render_partial(f"#m{message.pk}", "outerMorph", render_message(message, blocks))


def render_insertion(message: Message, blocks: list[ShownBlock] | None = None) -> str:
    """Adds the message to a page, or replaces it where the page has it already."""
    return render_partial("#messages", "upsert", render_message(message, blocks))


# ---------------------------------------------------------------- the messages of a conversation


def render_update(message: Message, since: int) -> str:
    """Returns what a page of revision `since` needs of this message. The page may lack the message."""
    if message.deleted_at and not message.versions:
        return render_partial(f"#m{message.pk}", "delete")
    if message.shown_since > since:
        return render_insertion(message)
    return render_replacement(message)


def render_updates_since(path: Path, revision: int | None) -> tuple[list[tuple[int, str]], int]:
    """Returns the updates that a page of this revision needs, and the revision that it then has.

    Each update comes with the key of its message, or 0. Pass None for a page that was just rendered.
    """
    conversation = Conversation.objects.get(pk=path.branch.conversation_id)
    if revision is None or revision >= conversation.revision:
        return [], conversation.revision
    on_path = [each for each in changed_since(conversation, revision) if path.includes(each.branch_id, each.pk)]
    if len(on_path) > CATCH_UP_LIMIT:
        context = {"conversation": conversation, "path": path}
        updates = [(0, str(render_to_string("conversations/updates/load_anew.html", context)))]
    else:
        updates = [(message.pk, render_update(message, revision)) for message in on_path]
    return [*((0, html) for html in render_title_updates(conversation)), *updates], conversation.revision


def changed_since(conversation: Conversation, revision: int) -> MessageQuerySet:
    return conversation.messages.filter(revision__gt=revision).for_reading().order_by("pk")


def announce_revision(conversation: Conversation, messages: Iterable[Message] | None = None) -> None:
    """Sends all viewers the messages that the conversation's latest revision added or changed.

    Pass `messages` if they are loaded already; otherwise they are read from the database.
    """
    if messages is None:
        messages = changed_since(conversation, conversation.revision - 1)
    for message in messages:
        send(conversation.pk, build_frame(message))
    close_revision(conversation.pk, conversation.revision)


def close_revision(conversation_pk: int, revision: int) -> None:
    """Marks a revision as fully sent. A viewer that has all earlier revisions now has this one too."""
    send(conversation_pk, Frame("", revision=revision))


def build_frame(message: Message) -> Frame:
    """Returns the frame for the message's latest change."""
    frame = Frame(
        render_update(message, message.revision - 1),
        revision=message.revision,
        branch=message.branch_id,
        message=message.pk,
    )
    if message.state == State.RUNNING and message.generation and not message.deleted_at:
        # The row is older than what viewers see. Catching up ends with the running reply's snapshot.
        frame = frame._replace(html="", must_catch_up=True)
    return frame


def send(conversation_pk: int, frame: Frame) -> None:
    hub.publish(conversation_topic(conversation_pk), frame)


# ---------------------------------------------------------------- the rest of its page


def render_title_updates(conversation: Conversation) -> list[str]:
    context = {"conversation": conversation}
    return [render_to_string(f"conversations/updates/{name}.html", context) for name in ("title", "title_field")]


def announce_title(conversation: Conversation) -> None:
    for html in render_title_updates(conversation):
        send(conversation.pk, Frame(html, revision=conversation.revision))
    close_revision(conversation.pk, conversation.revision)
    refresh_row(conversation)


def announce_members(conversation: Conversation) -> None:
    """Updates the members shown in the header."""
    participants = conversation.participants.select_related("user").order_by("pk")
    context = {"conversation": conversation, "participants": participants}
    button = render_element("conversations/_members_button.html", context)
    send(conversation.pk, Frame(render_partial("#faces", "outerMorph", button)))


def announce_tools(conversation: Conversation) -> None:
    """Updates the button in the composer. The count depends on the person: not everybody may use every tool."""
    # Other tabs of the person may show other conversations, with their own button.
    target = f"#tools-button[data-conversation='{conversation.pk}']"
    for participant in conversation.participants.select_related("user"):
        tools = ToolCounts.of(conversation, participant.user)
        if tools.offered:
            context = {"conversation": conversation, "tools": tools}
            button = render_element("conversations/_tools_button.html", context)
            hub.publish(person_topic(participant.user_id), Frame(render_partial(target, "outerMorph", button)))


@cache
def render_saving_delay(is_behind: bool) -> str:
    """The start renders both, because no file may be needed while files cannot be opened."""
    return render_to_string("conversations/updates/saving.html", {"is_behind": is_behind})


def announce_saving_delay(conversation_pk: int, *, is_behind: bool) -> None:
    send(conversation_pk, Frame(render_saving_delay(is_behind)))


# ---------------------------------------------------------------- people's lists of conversations


def refresh_row(conversation: Conversation) -> None:
    """Renders the conversation's row again in its place, after its title changed or an answer began or ended."""
    row = render_partial(f"#conversation-{conversation.pk}", "outerMorph", render_row(SidebarRow.of(conversation)))
    for person_pk in load_participant_keys(conversation):
        hub.publish(person_topic(person_pk), Frame(row))


def move_to_top(row: SidebarRow) -> None:
    """Moves the conversation to the top of everybody's list."""
    for person_pk in load_participant_keys(row.conversation):
        add_to_list(row, person_pk)


def add_to_list(row: SidebarRow, person_pk: int) -> None:
    """Puts the conversation at the top of a person's list. It never appears twice, however often this is sent."""
    # One frame, because between two another person's turn could add the row a second time.
    html = render_row_removal(row.conversation) + render_partial("#conversations", "afterbegin", render_row(row))
    hub.publish(person_topic(person_pk), Frame(html))


def announce_removal(conversation: Conversation, person_pk: int) -> None:
    """Removes the conversation from a person's list. Their tabs on it close if they may no longer read it."""
    hub.publish(person_topic(person_pk), Frame(render_row_removal(conversation)))
    hub.publish(person_topic(person_pk), CHECK_AGAIN)


def render_row_removal(conversation: Conversation) -> str:
    return render_partial(f"#conversation-{conversation.pk}", "delete")


def render_row(row: SidebarRow) -> str:
    return render_element("conversations/_conversation.html", {"row": row})


def load_participant_keys(conversation: Conversation) -> list[int]:
    return list(conversation.participants.values_list("user", flat=True))
