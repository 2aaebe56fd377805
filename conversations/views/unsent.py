"""Keeping what is typed and not sent yet."""

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from accounts.models import AuthenticatedRequest
from conversations.access import conversation_or_404
from conversations.forms import LONGEST_TURN
from conversations.models import Message, Unsent


@require_POST
def keep(request: AuthenticatedRequest, pk: int | None = None) -> HttpResponse:
    """Replaces what was kept; an empty text forgets it. Too late for a turn that was posted meanwhile."""
    conversation = conversation_or_404(request, pk) if pk is not None else None
    text, key = request.POST.get("text", ""), request.POST.get("key", "")
    if not text.strip() or is_posted(request, key):
        Unsent.objects.filter(person=request.user, conversation=conversation).delete()
    else:
        kept = {"text": text[:LONGEST_TURN].replace("\0", "")}
        Unsent.objects.update_or_create(person=request.user, conversation=conversation, defaults=kept)
    return HttpResponse(status=204)


def is_posted(request: AuthenticatedRequest, key: str) -> bool:
    try:
        return Message.objects.filter(author=request.user, key=UUID(key)).exists()
    except ValueError:
        return False
