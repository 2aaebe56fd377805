"""Saving text that is not sent yet."""

from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from accounts.models import AuthenticatedRequest, User
from conversations.access import conversation_or_404
from conversations.forms.turn import MAX_TURN_LENGTH
from conversations.models import Conversation, Message, Unsent, lock_unsent


@require_POST
def save(request: AuthenticatedRequest, pk: int | None = None) -> HttpResponse:
    """Replaces the saved text; an empty one deletes it. A text that arrives after its turn was posted is ignored."""
    conversation = conversation_or_404(request, pk) if pk is not None else None
    text, key = request.POST.get("text", ""), request.POST.get("key", "")
    # Locked, so that the turn cannot be posted between the check and the write.
    with transaction.atomic():
        lock_unsent(request.user)
        if not is_posted(request, key):
            save_text(request.user, conversation, text)
    return HttpResponse(status=204)


def save_text(person: User, conversation: Conversation | None, text: str) -> None:
    if text.strip():
        saved = {"text": text[:MAX_TURN_LENGTH].replace("\0", "")}
        Unsent.objects.update_or_create(person=person, conversation=conversation, defaults=saved)
    else:
        Unsent.objects.filter(person=person, conversation=conversation).delete()


def is_posted(request: AuthenticatedRequest, key: str) -> bool:
    try:
        return Message.objects.filter(author=request.user, key=UUID(key)).exists()
    except ValueError:
        return False
