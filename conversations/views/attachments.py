"""Attaching files, removing drafts, and serving files to people who can see their conversation."""

from contextlib import suppress
from typing import Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from accounts.models import AuthenticatedRequest
from conversations import uploads
from conversations.access import conversation_or_404
from conversations.inspection import ENCODINGS
from conversations.models import Attachment, Conversation
from conversations.models.attachment import THUMBNAIL
from conversations.upload_handlers import list_dropped_files
from conversations.views.unsent import is_posted, save_text

PROTECTION: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # Access is checked with every request, because it can end at any moment.
    "Cache-Control": "private, no-cache",
}
RUN_WHEN_OPENED: Final = (
    *(".svg", ".htm", ".html", ".xhtml", ".xht", ".shtml", ".mht", ".mhtml", ".xml"),
    *(".hta", ".vbs", ".wsf", ".ps1", ".bat", ".cmd", ".com", ".exe", ".scr", ".lnk", ".reg", ".url"),
)
"""Endings of files that a click would run or open in a browser. Text files with these are sent as .txt."""


@require_POST
def attach(request: AuthenticatedRequest, pk: int | None = None) -> HttpResponse:
    """Attaches files to the person's draft. Refused files are named; the others are attached."""
    conversation = conversation_or_404(request, pk) if pk is not None else None
    attached, refusals = accept_files(request, conversation)
    context = {"attached": attached, "refusals": refusals}
    return render(request, "conversations/_upload_result.html", context, status=201 if attached else 422)


def accept_files(
    request: AuthenticatedRequest, conversation: Conversation | None
) -> tuple[list[Attachment], list[str]]:
    """Attaches the files of a request. Returns them, and a sentence about each refused one."""
    attached, refusals = [], [uploads.describe_too_large(name) for name in list_dropped_files(request)]
    for file in request.FILES.getlist("files"):
        try:
            attached.append(uploads.attach(file, request.user, conversation))
        except uploads.NotAttached as refusal:
            refusals.append(str(refusal))
    return attached, refusals


@require_POST
def remove(request: AuthenticatedRequest, key: UUID) -> HttpResponse:
    """Removes a draft."""
    unsent = Attachment.objects.visible_to(request.user).filter(message=None)
    attachment = get_object_or_404(unsent, uuid=key)
    uploads.remove([attachment])
    return return_to_composer(request, attachment) if "text" in request.POST else HttpResponse(status=204)


@require_POST
def read_again(request: AuthenticatedRequest, key: UUID) -> HttpResponse:
    """Reads a draft in the encoding that the person chose."""
    guessed = Attachment.objects.visible_to(request.user).filter(message=None).exclude(encoding="")
    attachment = get_object_or_404(guessed, uuid=key)
    encoding = request.POST.get(f"encoding-{key}", "")
    if encoding not in ENCODINGS:
        return HttpResponse("Choose one of the encodings in the list.", status=422)
    try:
        uploads.read_again(attachment, encoding)
    except (uploads.NotAttached, FileNotFoundError):
        raise Http404 from None
    if request.htmx:
        return render(request, "conversations/_draft.html", {"attachment": attachment})
    return return_to_composer(request, attachment)


def apply_encodings(request: AuthenticatedRequest, conversation: Conversation | None) -> None:
    """Reads drafts again whose encoding was chosen with the turn: just before sending, or without scripts."""
    if not any(name.startswith("encoding-") for name in request.POST):
        return
    for draft in Attachment.objects.drafts_of(request.user, conversation).exclude(encoding=""):
        encoding = request.POST.get(f"encoding-{draft.uuid}", draft.encoding)
        if encoding in ENCODINGS and encoding != draft.encoding:
            with suppress(uploads.NotAttached, FileNotFoundError):
                uploads.read_again(draft, encoding)


def return_to_composer(request: AuthenticatedRequest, attachment: Attachment) -> HttpResponse:
    """Without scripts, the buttons of a draft send the whole form. The text in it must not be lost."""
    if not is_posted(request, request.POST.get("key", "")):
        save_text(request.user, attachment.conversation, request.POST.get("text", ""))
    pk = attachment.conversation_id
    return redirect(reverse("conversation", args=[pk]) if pk else reverse("home"))


@require_safe
def show(request: AuthenticatedRequest, key: UUID) -> HttpResponse:
    attachment = get_object_or_404(Attachment.objects.visible_to(request.user), uuid=key)
    response = send_file(request, attachment, "", attachment.media_type)
    disposition = content_disposition_header(not attachment.is_image, download_name(attachment))
    response["Content-Disposition"] = disposition or "attachment"
    return response


@require_safe
def thumbnail(request: AuthenticatedRequest, key: UUID) -> HttpResponse:
    images = Attachment.objects.visible_to(request.user).exclude(width=None)
    return send_file(request, get_object_or_404(images, uuid=key), THUMBNAIL, "image/webp")


def send_file(request: AuthenticatedRequest, attachment: Attachment, part: str, media_type: str) -> HttpResponse:
    """Sends the file, unless the browser has it already. A stored file never changes."""
    etag = f'"{attachment.stored.rpartition("/")[2]}"'
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponse(status=304)
    else:
        try:
            content = attachment.read_content(part)
        except FileNotFoundError:
            raise Http404 from None
        kind = f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
        response = HttpResponse(content, content_type=kind)
    for name, value in {**PROTECTION, "ETag": etag}.items():
        response[name] = value
    return response


def download_name(attachment: Attachment) -> str:
    is_plain = attachment.media_type == "text/plain"
    runs = attachment.name.lower().endswith(RUN_WHEN_OPENED)
    return f"{attachment.name}.txt" if is_plain and runs else attachment.name
