"""Beginning a conversation, posting turns, and retrying, continuing and stopping answers."""

from collections.abc import Sequence
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from accounts.models import User
from conversations.answering import elsewhere, replies
from conversations.answering.ending import STOPPED, Ending
from conversations.answering.permission import AskerGone
from conversations.live import broadcasts
from conversations.live.sidebar import SidebarRow
from conversations.markdown import title_from
from conversations.models import (
    Attachment,
    Conversation,
    Generation,
    Message,
    Participant,
    Path,
    State,
    Unsent,
    lock_unsent,
)
from conversations.prompt.other_models import hand_to_another_model
from conversations.prompt.transcript import is_foreign
from conversations.verbs.trimming import trim_if_full
from conversations.verbs.writing import add_message, add_turn, fork_branch, queue_reply
from upstreams.models import ChatModel


@transaction.atomic
def begin(owner: User, **fields: object) -> Conversation:
    """Begins a conversation without messages."""
    return give_to(owner, Conversation(**fields))


@transaction.atomic
def begin_prepared(owner: User, **fields: object) -> Conversation:
    """Begins the conversation that the owner has chosen settings for, or one with the usual settings."""
    prepared = Conversation.objects.prepared_by(owner).select_for_update().first()
    if prepared is None:
        return begin(owner, **fields)
    for name, value in {**fields, "prepared_by": None, "created_at": now()}.items():
        setattr(prepared, name, value)
    return give_to(owner, prepared)


def give_to(owner: User, conversation: Conversation) -> Conversation:
    conversation.save()
    conversation.branch = conversation.branches.create()
    conversation.save(update_fields=["branch"])
    conversation.participants.create(user=owner, role=Participant.Role.OWNER)
    return conversation


def begin_with(
    author: User,
    text: str,
    chat_model: ChatModel | None,
    key: UUID | None = None,
    attached: Sequence[UUID] = (),
) -> Conversation:
    """Begins a conversation with its first turn. The same turn sent twice returns the same conversation."""
    try:
        with transaction.atomic():
            lock_unsent(author)
            if posted := find_posted(author, key):
                return posted.conversation
            conversation = begin_prepared(author, chat_model=chat_model)
            Attachment.objects.drafts_of(author, None).filter(uuid__in=attached).update(conversation=conversation)
            save_turn(Path.through(conversation), author, text, chat_model, key, attached)
            Unsent.objects.filter(person=author, conversation=None).delete()
            return conversation
    except IntegrityError:
        # On a database with concurrent transactions, the same turn can be posted after our query.
        if posted := find_posted(author, key):
            return posted.conversation
        raise


def find_posted(author: User, key: UUID | None) -> Message | None:
    """Returns the message that was posted with this form key, if any."""
    sent = Message.objects.filter(author=author, key=key).select_related("conversation")
    return sent.first() if key else None


def post(
    path: Path,
    author: User,
    text: str,
    chat_model: ChatModel | None,
    key: UUID | None = None,
    attached: Sequence[UUID] = (),
) -> Generation | None:
    """Posts a turn, which a model then answers. Turns of a conversation are answered in order.

    `attached` names the drafts to send with it. Returns None if the turn with this key was posted before.
    """
    try:
        return save_turn(path, author, text, chat_model, key, attached)
    except IntegrityError:
        if find_posted(author, key):
            return None
        raise


@transaction.atomic
def save_turn(
    path: Path, author: User, text: str, chat_model: ChatModel | None, key: UUID | None, attached: Sequence[UUID]
) -> Generation:
    """Saves a turn, and announces it after the commit. Raises IntegrityError if the key was used before."""
    lock_unsent(author)
    conversation = path.conversation
    files = find_drafts(attached, author, conversation)
    generation = add_turn(path, author, text, chat_model, key, files)
    trimmed = trim_if_full(path, chat_model, author)
    if not conversation.title:
        conversation.title = title_from(text or ", ".join(map(str, files)))
        conversation.save(update_fields=["title"])
    Unsent.objects.filter(person=author, conversation=conversation).delete()
    transaction.on_commit(lambda: announce_turn(conversation, generation, only_turn_changed=trimmed is None))
    return generation


def find_drafts(keys: Sequence[UUID], author: User, conversation: Conversation) -> list[Attachment]:
    if not keys:
        return []
    drafts = Attachment.objects.drafts_of(author, conversation).filter(uuid__in=keys)
    return sorted(drafts, key=lambda each: keys.index(each.uuid))


def announce_turn(conversation: Conversation, generation: Generation, *, only_turn_changed: bool) -> None:
    """Shows the turn to all viewers and starts its reply. A running reply starts it when it ends.

    `only_turn_changed`: no other message has the new revision.
    """
    reply, running = generation.message, replies.local.find(conversation.pk)
    assert reply.parent is not None
    # Since the turn was saved, the previous reply may have ended and started this one.
    has_started = running is not None and running.message.pk == reply.pk
    try:
        changed = [reply.parent, reply] if only_turn_changed and not has_started else None
        broadcasts.announce_revision(conversation, changed)
        broadcasts.move_to_top(SidebarRow(conversation, is_running=True))
    finally:
        # The turn is saved, so its reply starts even if the database cannot be read now.
        if running is None:
            replies.generate.enqueue(generation.pk)


def retry(message: Message, person: User, chat_model: ChatModel | None) -> Generation:
    """Asks for another answer on a new branch. This one is kept."""
    conversation = message.conversation
    with transaction.atomic():
        branch = fork_branch(message, chat_model)
        generation = queue_reply(branch, message.parent_id, chat_model, person)
        trim_if_full(Path.to(branch), chat_model, person)
    announce(conversation, generation)
    return generation


def edit(message: Message, author: User, text: str, chat_model: ChatModel | None) -> Generation:
    """Posts a changed message with the same files on a new branch. The old one and everything after it are kept."""
    conversation = message.conversation
    with transaction.atomic():
        branch = fork_branch(message, chat_model)
        files = [each.copy() for each in message.attachments.all()]
        said = add_message(branch, message.parent_id, author=author, text=text, attached=files)
        generation = queue_reply(branch, said.pk, chat_model, author)
        trim_if_full(Path.to(branch), chat_model, author)
    announce(conversation, generation)
    return generation


def continue_answer(message: Message, person: User) -> Generation | None:
    """Continues an answer that was cut off, in the same message. Returns None if it cannot be continued.

    Raises ModelOff if the model that began it is switched off.
    """
    conversation = message.conversation
    with transaction.atomic():
        conversation.lock()
        message = Message.objects.for_reading().get(pk=message.pk)
        if not message.can_continue or message.generation is None:
            return None
        if chat_model := message.generation.chat_model:
            chat_model.require_offered()
        chat_model = chat_model or conversation.find_next_model()
        message.revision = conversation.advance()
        if chat_model and is_foreign(message, chat_model):
            message.blocks = hand_to_another_model(message.blocks)
        message.save(update_fields=["revision", "blocks"])
        generation = Generation.objects.create(
            conversation=conversation,
            message=message,
            continues=True,
            rounds=1 if message.ends_in_tools else 0,
            asked_by=person,
            **Generation.model_fields(chat_model),
        )
    announce(conversation, generation)
    return generation


def announce(conversation: Conversation, generation: Generation) -> None:
    """After the commit, shows viewers the conversation's new revision and starts the reply."""

    def show_and_start() -> None:
        try:
            broadcasts.announce_revision(conversation)
            broadcasts.move_to_top(SidebarRow.of(conversation))
        finally:
            replies.generate.enqueue(generation.pk)

    transaction.on_commit(show_and_start)


def stop(generation: Generation) -> None:
    """Stops a reply and keeps its text. Does nothing if it has ended."""
    Generation.objects.unfinished().filter(pk=generation.pk).update(stop_asked_at=now())
    end_idle(generation, STOPPED)
    elsewhere.local.stop(generation.pk)


def end_answers_without_asker() -> None:
    """Ends the answers, running here or idle, that were asked for by people whose accounts have ended.

    Idle ones also end if they wait for the approval of somebody who has left. Call it in each process when that may
    have happened.
    """
    replies.local.stop_without_asker()
    lost = Generation.objects.unfinished().without_asker().exclude(state=State.RUNNING)
    # The last one first: otherwise each would start the next.
    for generation in lost.select_related("message__conversation", "asked_by").order_by("-pk"):
        end_idle(generation, Ending.of(AskerGone(generation.asked_by), has_content=bool(generation.message.blocks)))


def end_idle(generation: Generation, ending: Ending) -> None:
    """Ends a reply that is queued or waits for approval, and starts the next one."""
    with transaction.atomic():
        idle = Generation.objects.filter(pk=generation.pk, state__in=[State.QUEUED, State.WAITING])
        reason = {"error_kind": ending.error_kind, "error_message": ending.error_message}
        was_idle = idle.update(state=ending.state, finished_at=now(), **reason)
        if was_idle:
            generation.message.mark_changed()
    if was_idle:
        broadcasts.announce_revision(generation.message.conversation)
        broadcasts.refresh_row(generation.message.conversation)
        async_to_sync(replies.start_next)(generation.conversation_id)
