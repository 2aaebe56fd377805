"""What people do in a conversation: begin one, speak, ask again, go on, take back, stop a reply."""

from collections.abc import Sequence
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from accounts.models import User
from conversations.answering import replies
from conversations.live import broadcasts
from conversations.markdown import title_from
from conversations.models import (
    Attachment,
    Conversation,
    Decision,
    Generation,
    Message,
    Participant,
    Path,
    State,
    ToolCall,
    ToolGrant,
    Unsent,
)
from conversations.verbs import memory
from tools.models import Tool
from upstreams.models import ChatModel


@transaction.atomic
def begin(owner: User, **fields: object) -> Conversation:
    """A conversation of one's own, with nothing said in it yet."""
    conversation = Conversation.objects.create(**fields)
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
    """A conversation and its first turn; the one that is there already when the same turn comes again."""
    try:
        with transaction.atomic():
            if posted := posted_with(author, key):
                return posted.conversation
            conversation = begin(author, chat_model=chat_model)
            Attachment.objects.drafts_of(author, None).filter(uuid__in=attached).update(conversation=conversation)
            post(conversation.path(), author, text, chat_model, key, attached)
            Unsent.objects.filter(person=author, conversation=None).delete()
            return conversation
    except IntegrityError:
        # Where transactions run side by side, the same turn was posted after we had looked.
        if posted := posted_with(author, key):
            return posted.conversation
        raise


def posted_with(author: User, key: UUID | None) -> Message | None:
    """The message that this sending of a form, or an earlier one, has made."""
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
    """A person speaks and a model is set to answer; turns of one conversation are answered in their order.

    `attached` names drafts that go with the message. None when the turn with this key was posted before.
    """
    conversation = path.branch.conversation
    with transaction.atomic():
        conversation.hold()
        if posted_with(author, key):
            return None
        drafts = Attachment.objects.drafts_of(author, conversation).filter(uuid__in=attached)
        files = sorted(drafts, key=lambda each: attached.index(each.uuid))
        generation = conversation.post_turn(path, author, text, chat_model, key, files)
        memory.make_room(path, chat_model, author)
        if not conversation.title:
            title = title_from(text or ", ".join(map(str, files)))
            Conversation.objects.filter(pk=conversation.pk).update(title=title)
        Unsent.objects.filter(person=author, conversation=conversation).delete()
    announce(conversation, generation)
    return generation


def retry(message: Message, person: User, chat_model: ChatModel | None) -> Generation:
    """Asks for another answer in the place of this one, which is kept."""
    conversation = message.conversation
    with transaction.atomic():
        branch = conversation.fork_at(message)
        generation = conversation.owe_reply(branch, message.parent, chat_model, person)
        memory.make_room(Path.to(branch), chat_model, person)
    announce(conversation, generation)
    return generation


def edit(message: Message, author: User, text: str, chat_model: ChatModel | None) -> Generation:
    """Says it differently, with the same files, on a branch of its own; what was said, and what followed, is kept."""
    conversation = message.conversation
    with transaction.atomic():
        branch = conversation.fork_at(message)
        files = [each.copy() for each in message.attachments.all()]
        said = conversation.add(branch, message.parent_id, author=author, text=text, attached=files)
        generation = conversation.owe_reply(branch, said, chat_model, author)
        memory.make_room(Path.to(branch), chat_model, author)
    announce(conversation, generation)
    return generation


def go_on(message: Message, person: User) -> Generation | None:
    """Continues an answer that was cut, in the same message; None when there is nothing to go on from."""
    conversation = message.conversation
    with transaction.atomic():
        conversation.hold()
        message = Message.objects.for_reading().get(pk=message.pk)
        if not message.can_continue or message.generation is None:
            return None
        naming = Generation.naming(message.generation.chat_model or conversation.speaking_model())
        message.revision = conversation.advance()
        message.save(update_fields=["revision"])
        generation = Generation.objects.create(
            conversation=conversation,
            message=message,
            continues=True,
            rounds=1 if message.ends_in_tools else 0,
            asked_by=person,
            **naming,
        )
    announce(conversation, generation)
    return generation


def announce(conversation: Conversation, generation: Generation) -> None:
    """Viewers hear of everything that has the conversation's new revision; then the reply is begun."""

    def tell() -> None:
        broadcasts.changed(conversation)
        broadcasts.listed(conversation)
        replies.generate.enqueue(generation.pk)

    transaction.on_commit(tell)


def delete(message: Message) -> Message | None:
    """Takes a message out of what people read and models are told; it can be put back.

    Returns the version to read instead, if its place is all that the branch went on for.
    """
    instead = message.instead()
    set_deleted(message, is_deleted=True)
    if instead:
        spoken_on = Conversation.objects.filter(pk=message.conversation_id, branch=message.branch_id)
        spoken_on.update(branch=instead.branch_id)
    return instead


def restore(message: Message) -> None:
    set_deleted(message, is_deleted=False)


def set_deleted(message: Message, *, is_deleted: bool) -> None:
    conversation = message.conversation
    with transaction.atomic():
        conversation.advance()
        message.deleted_at = now() if is_deleted else None
        message.revision = conversation.revision
        if not is_deleted:
            message.shown_since = conversation.revision
        message.save(update_fields=["deleted_at", "revision", "shown_since"])
        versions = conversation.messages.filter(parent=message.parent_id)
        versions.update(revision=conversation.revision)
        if not is_deleted:
            # Pages may have nothing in the place of deleted versions that were the last ones.
            versions.exclude(deleted_at=None).update(shown_since=conversation.revision)
    replies.local.apply_deletion(message)
    broadcasts.changed(conversation)


@transaction.atomic
def fork(last: Message, owner: User) -> Conversation:
    """A conversation of one's own that begins with what was said up to `last`."""
    source = last.conversation
    copied = begin(owner, title=source.title, **{name: getattr(source, name) for name in CARRIED_OVER})
    copied.tools.set(source.tools.all())
    copied.advance()
    branch, after = copied.path().branch, None
    for message in Path.to(last.branch).messages.filter(pk__lte=last.pk).for_reading():
        blocks, files = Attachment.objects.copied(message.blocks)
        said = {name: getattr(message, name) for name in ("role", "author", "created_at", "memory_begins")}
        made = copied.add(branch, after, attached=files, blocks=blocks, **said)
        if message.generation:
            ended = message.generation
            ended.pk, ended.conversation, ended.message = None, copied, made
            ended.state = State.INTERRUPTED if ended.is_unfinished else ended.state
            ended.save(force_insert=True)
        after = made.pk
    transaction.on_commit(lambda: broadcasts.listed(copied))
    return copied


CARRIED_OVER = (
    *("chat_model", "system_prompt", "max_tokens", "temperature", "top_p", "top_k"),
    *("presence_penalty", "frequency_penalty", "stop_sequences", "tool_choice"),
    *("thinking", "thinking_budget", "reasoning_effort", "leaves_out_oldest"),
)


def stop(generation: Generation) -> None:
    """Ends a reply; what was written stays. Harmless when it has ended already."""
    with transaction.atomic():
        unfinished = Generation.objects.unfinished().filter(pk=generation.pk)
        unfinished.update(stop_asked_at=now())
        idle = unfinished.filter(state__in=[State.QUEUED, State.WAITING])
        was_idle = idle.update(state=State.STOPPED, finished_at=now())
        if was_idle:
            mark_changed(generation.message)
    if was_idle:
        broadcasts.changed(generation.message.conversation)
        async_to_sync(replies.start_next)(generation.conversation_id)
    else:
        replies.local.stop(generation.pk)


def decide(call: ToolCall, *, is_allowed: bool, for_good: bool = False) -> None:
    """Says whether a tool may run; once nothing is undecided, the answer goes on. Harmless when it was said before.

    Allowed `for_good`, the tool is not asked about again in this conversation, for this person.
    """
    generation = call.generation
    conversation = generation.conversation
    with transaction.atomic():
        conversation.advance()
        undecided = ToolCall.objects.filter(generation=generation, decision="", generation__state=State.WAITING)
        decided = [call]
        if is_allowed and for_good and (tool := tool_of(call)):
            ToolGrant.objects.get_or_create(conversation=conversation, person=generation.asked_by, tool=tool)
            decided = [each for each in undecided.all() if tool_of(each) == tool]
        decision = Decision.ALLOWED if is_allowed else Decision.REFUSED
        undecided.filter(pk__in=[each.pk for each in decided]).update(decision=decision, decided_at=now())
        is_next = not undecided.exists()
        if is_next:
            Generation.objects.filter(pk=generation.pk, state=State.WAITING).update(state=State.QUEUED)
        Message.objects.filter(pk=generation.message_id).update(revision=conversation.revision)
    broadcasts.changed(conversation)
    if is_next:
        replies.generate.enqueue(generation.pk)


def tool_of(call: ToolCall) -> Tool | None:
    """The tool that a call names, while there is one."""
    names = [block.get("name") for block in call.generation.message.blocks if block.get("id") == call.use_id]
    return Tool.objects.filter(wire_name__in=names).first()


def mark_changed(message: Message) -> None:
    """Gives the message a new revision, inside the caller's transaction."""
    Message.objects.filter(pk=message.pk).update(revision=message.conversation.advance())
