"""Attaches files: inspects and stores uploads or refuses them, and deletes those that were never sent."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import transaction
from django.utils.timezone import now

from accounts.models import User
from chatsite.values.figures import size
from conversations.inspection import FileLimits, Finding, Kind, Refused, decode_as, inspect_file, kind_of, tidy_name
from conversations.models import Attachment, Conversation, Message
from conversations.models.attachment import ORIGINAL, OTHER_FILES, TEXT, THUMBNAIL

logger = logging.getLogger(__name__)

FOLDER = "attachments"
NAMELESS = {Kind.IMAGE: "image", Kind.PDF: "document.pdf", Kind.TEXT: "text.txt"}
GRACE = timedelta(hours=1)
"""A file without a row is deleted at this age. A younger one may be about to get its row."""


class NotAttached(Exception):
    """A file was refused. The message is a sentence with the file's name and the reason."""


def limits() -> FileLimits:
    return FileLimits(
        size=settings.ATTACHMENT_SIZE,
        text_size=settings.ATTACHMENT_TEXT_SIZE,
        pixels=settings.ATTACHMENT_PIXELS,
        pages=settings.ATTACHMENT_PAGES,
    )


def attach(file: "UploadedFile[Any]", owner: User, conversation: Conversation | None) -> Attachment:
    """Adds the file to its owner's drafts in the conversation or on the home page. Raises NotAttached."""
    name = tidy_name(file.name or "")
    require_room(name, owner, conversation)
    try:
        with on_disk(file) as source, inspect_file(source, limits()) as found:
            return save_draft(found, tidy_name(file.name or "", NAMELESS[found.kind]), owner, conversation)
    except Refused as refused:
        raise NotAttached(f"“{name}” {refused}") from None


def describe_too_large(name: str) -> str:
    return f"“{tidy_name(name)}” is too large (limit {size(settings.ATTACHMENT_SIZE)})."


def require_room(name: str, owner: User, conversation: Conversation | None, new: int = 0) -> None:
    """Raises NotAttached if there is no room for one more file of `new` bytes."""
    if Attachment.objects.drafts_of(owner, conversation).count() >= settings.ATTACHMENTS_PER_MESSAGE:
        most = settings.ATTACHMENTS_PER_MESSAGE
        raise NotAttached(f"“{name}” was not attached: at most {most} files per message.")
    require_space(name, owner, new, "your files")


def require_space(name: str, owner: User, new: int, files: str) -> None:
    """Raises NotAttached if the owner has no space for `new` bytes. `files` names the owner's files to the reader."""
    taken = Attachment.objects.total_size(owner)
    if taken + max(new, 1) > settings.ATTACHMENTS_PER_PERSON:
        raise NotAttached(
            f"“{name}” was not attached: {files} use {size(taken)} of {size(settings.ATTACHMENTS_PER_PERSON)}. "
            "Ask an administrator for more space, or delete messages with files: "
            f"their space is free after {settings.DELETED_DAYS:g} days."
        )


@contextmanager
def on_disk(file: "UploadedFile[Any]") -> Iterator[Path]:
    """Yields the path of an upload, and writes it to disk first if it is in memory."""
    if isinstance(file, TemporaryUploadedFile):
        file.flush()
        yield Path(file.temporary_file_path())
        return
    with NamedTemporaryFile(prefix="chatsite-") as copy:
        for chunk in file.chunks():
            copy.write(chunk)
        copy.flush()
        yield Path(copy.name)


def save_draft(found: Finding, name: str, owner: User, conversation: Conversation | None) -> Attachment:
    attachment = store_files(found, name)
    attachment.owner, attachment.conversation = owner, conversation
    try:
        with transaction.atomic():
            require_room(name, owner, conversation, attachment.size)
            attachment.save()
    except NotAttached:
        delete_files([attachment])
        raise
    return attachment


def save_image(content: bytes, name: str, message: Message, owner: User | None) -> Attachment:
    """Stores an image from an answer among the files of the person who asked.

    Raises NotAttached if it is not a readable image or the person has no space left.
    """
    try:
        with NamedTemporaryFile(prefix="chatsite-") as file:
            file.write(content)
            file.flush()
            if content and kind_of(Path(file.name)) != Kind.IMAGE:
                raise NotAttached(f"“{name}” is not a JPEG, PNG, GIF or WebP image.")
            with inspect_file(Path(file.name), limits()) as found:
                attachment = store_files(found, tidy_name(name))
    except Refused as refused:
        raise NotAttached(f"“{name}” {refused}") from None
    attachment.owner, attachment.conversation, attachment.message = owner, message.conversation, message
    try:
        with transaction.atomic():
            if owner:
                require_space(name, owner, attachment.size, "the files of the person who asked")
            attachment.save()
    except NotAttached:
        delete_files([attachment])
        raise
    return attachment


def read_again(attachment: Attachment, encoding: str) -> None:
    """Reads a text whose encoding was guessed in another one. The files are new ones: browsers keep copies by name.

    Raises NotAttached if the text was sent or read again meanwhile.
    """
    text = decode_as(attachment.read_content(ORIGINAL), encoding).replace("\0", "\ufffd").encode()
    old, place = copy(attachment), new_place()
    for part, content in (("", text), (ORIGINAL, attachment.read_content(ORIGINAL))):
        default_storage.save(place + part, ContentFile(content))
    attachment.stored, attachment.encoding, attachment.size = place, encoding, len(text)
    changed = {"stored": place, "encoding": encoding, "size": len(text)}
    if not Attachment.objects.filter(pk=old.pk, message=None, stored=old.stored).update(**changed):
        delete_files([attachment])
        raise NotAttached(f"“{attachment}” was sent or changed in another tab. Reload the page.")
    transaction.on_commit(lambda: delete_files([old]))


def store_files(found: Finding, name: str) -> Attachment:
    """Stores the files and returns an unsaved row: a row must never refer to a file that does not exist."""
    place = new_place()
    parts = {"": found.content, THUMBNAIL: found.thumbnail, TEXT: found.text, ORIGINAL: found.original}
    for part, path in parts.items():
        if path is not None:
            with path.open("rb") as content:
                default_storage.save(place + part, File(content))
    return Attachment(
        kind=found.kind,
        name=with_true_ending(name, found.media_type),
        media_type=found.media_type,
        size=found.content.stat().st_size,
        width=found.width,
        height=found.height,
        pages=found.pages,
        is_text_whole=found.is_text_whole,
        encoding=found.encoding,
        stored=place,
    )


def new_place() -> str:
    key = uuid4().hex
    return f"{FOLDER}/{key[:2]}/{key}"


ENDINGS = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "application/pdf": (".pdf",),
}


def with_true_ending(name: str, media_type: str) -> str:
    """Returns the name with an ending that matches the content."""
    endings = ENDINGS.get(media_type)
    if endings is None or name.lower().endswith(endings):
        return name
    path = Path(name)
    stem = path.stem if path.suffix[1:].isalnum() and len(path.suffix) <= 6 else name
    return stem + endings[0]


# ---------------------------------------------------------------- deleting


def remove(attachments: Iterable[Attachment]) -> None:
    """Deletes attachments for good, with the files that no other attachment shares."""
    gone = list(attachments)
    Attachment.objects.filter(pk__in=[each.pk for each in gone]).delete()
    transaction.on_commit(lambda: delete_files(gone))


def delete_files(attachments: Iterable[Attachment]) -> None:
    for each in attachments:
        if not Attachment.objects.filter(stored=each.stored).exists():
            for name in each.files:
                delete_file(name)


def delete_file(name: str) -> None:
    try:
        default_storage.delete(name)
    except OSError as error:
        # The row is gone, so `sweep` tries again.
        logger.warning("%s cannot be deleted yet: %s", name, error)


def sweep() -> int:
    """Deletes drafts that were never sent, and files without a row. Returns the number of those files."""
    unsent = Attachment.objects.filter(message=None)
    old = unsent.filter(created_at__lt=now() - timedelta(days=settings.ATTACHMENT_DRAFT_DAYS))
    remove([*old, *unsent.filter(owner=None)])
    known = set(Attachment.objects.values_list("stored", flat=True))
    count = 0
    for name in list_stored_files():
        if strip_suffix(name) in known:
            continue
        if default_storage.get_modified_time(name) < now() - GRACE:
            default_storage.delete(name)
            count += 1
    return count


def strip_suffix(name: str) -> str:
    return next((name.removesuffix(part) for part in OTHER_FILES if name.endswith(part)), name)


def list_stored_files() -> Iterable[str]:
    try:
        shards, _ = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return
    for shard in shards:
        for name in default_storage.listdir(f"{FOLDER}/{shard}")[1]:
            yield f"{FOLDER}/{shard}/{name}"
