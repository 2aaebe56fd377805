"""The one door from an address to a conversation."""

from django.shortcuts import get_object_or_404

from accounts.models import AuthenticatedRequest
from conversations.models import Conversation


def conversation_or_404(request: AuthenticatedRequest, pk: int) -> Conversation:
    """The conversation, if the person may see it; what a stranger asks for does not exist."""
    return get_object_or_404(Conversation.objects.visible_to(request.user), pk=pk)
