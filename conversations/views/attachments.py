"""Attached files: taken in, taken back, and given out to those who may see their conversation."""

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
from conversations.models import Attachment, Conversation
from conversations.models.attachment import THUMBNAIL
from conversations.upload_handlers import turned_away
from conversations.views.unsent import is_posted, remember

PROTECTION: Final = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # Asked for each time: who may see it can change at any moment.
    "Cache-Control": "private, no-cache",
}
RUN_WHEN_OPENED: Final = (
    *(".svg", ".htm", ".html", ".xhtml", ".xht", ".shtml", ".mht", ".mhtml", ".xml"),
    *(".hta", ".vbs", ".wsf", ".ps1", ".bat", ".cmd", ".com", ".exe", ".scr", ".lnk", ".reg", ".url"),
)
"""Endings of files that open in a browser or run by a click; such a text is given back as a text."""


@require_POST
def attach(request: AuthenticatedRequest, pk: int | None = None) -> HttpResponse:
    """Keeps files with what the person is writing; each that is refused is named, and keeps no other from coming."""
    conversation = conversation_or_404(request, pk) if pk is not None else None
    attached, refusals = taken_in(request, conversation)
    context = {"attached": attached, "refusals": refusals}
    return render(request, "conversations/_taken_in.html", context, status=201 if attached else 422)


def taken_in(request: AuthenticatedRequest, conversation: Conversation | None) -> tuple[list[Attachment], list[str]]:
    """The files that came with a request, and a sentence about each that was not taken."""
    attached, refusals = [], [uploads.too_large(name) for name in turned_away(request)]
    for file in request.FILES.getlist("files"):
        try:
            attached.append(uploads.attach(file, request.user, conversation))
        except uploads.NotAttached as refusal:
            refusals.append(str(refusal))
    return attached, refusals


@require_POST
def remove(request: AuthenticatedRequest, key: UUID) -> HttpResponse:
    """Takes back what was not sent yet."""
    unsent = Attachment.objects.visible_to(request.user).filter(message=None)
    attachment = get_object_or_404(unsent, uuid=key)
    uploads.remove([attachment])
    if "text" not in request.POST:
        return HttpResponse(status=204)
    # Without scripts, the whole form came with the button: what is typed in it stays.
    if not is_posted(request, request.POST.get("key", "")):
        remember(request.user, attachment.conversation, request.POST["text"])
    pk = attachment.conversation_id
    return redirect(reverse("conversation", args=[pk]) if pk else reverse("home"))


@require_safe
def show(request: AuthenticatedRequest, key: UUID) -> HttpResponse:
    attachment = get_object_or_404(Attachment.objects.visible_to(request.user), uuid=key)
    response = given(request, attachment, "", attachment.media_type)
    disposition = content_disposition_header(not attachment.is_image, name_for_saving(attachment))
    response["Content-Disposition"] = disposition or "attachment"
    return response


@require_safe
def thumbnail(request: AuthenticatedRequest, key: UUID) -> HttpResponse:
    images = Attachment.objects.visible_to(request.user).exclude(width=None)
    return given(request, get_object_or_404(images, uuid=key), THUMBNAIL, "image/webp")


def given(request: AuthenticatedRequest, attachment: Attachment, part: str, media_type: str) -> HttpResponse:
    """The file, or word that the browser's copy of it is right: what is stored never changes."""
    etag = f'"{attachment.uuid.hex}"'
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponse(status=304)
    else:
        try:
            content = attachment.content(part)
        except FileNotFoundError:
            raise Http404 from None
        kind = f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
        response = HttpResponse(content, content_type=kind)
    for name, value in {**PROTECTION, "ETag": etag}.items():
        response[name] = value
    return response


def name_for_saving(attachment: Attachment) -> str:
    is_plain = attachment.media_type == "text/plain"
    runs = attachment.name.lower().endswith(RUN_WHEN_OPENED)
    return f"{attachment.name}.txt" if is_plain and runs else attachment.name
