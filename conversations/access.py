"""The doors from an address to a conversation, a way through it and a message of it."""

from django.http import Http404
from django.shortcuts import get_object_or_404

from accounts.models import AuthenticatedRequest
from chatsite.numbers import whole_number
from conversations.models import Branch, Conversation, Message, Path


def conversation_or_404(request: AuthenticatedRequest, pk: int) -> Conversation:
    """The conversation, if the person may see it; what a stranger asks for does not exist."""
    return get_object_or_404(Conversation.objects.visible_to(request.user).select_related("branch"), pk=pk)


def owned_conversation_or_404(request: AuthenticatedRequest, pk: int) -> Conversation:
    return get_object_or_404(Conversation.objects.owned_by(request.user), pk=pk)


def path_or_404(request: AuthenticatedRequest, conversation: Conversation) -> Path:
    """The way that `?branch=` names, or the one last spoken on."""
    named = request.GET.get("branch") or request.POST.get("branch") or ""
    try:
        return Path.through(conversation, whole_number(named))
    except Branch.DoesNotExist as error:
        raise Http404 from error


def message_or_404(request: AuthenticatedRequest, pk: int, message_pk: int) -> Message:
    messages = conversation_or_404(request, pk).messages.filter(deleted_at=None).for_reading()
    return get_object_or_404(messages.select_related("conversation", "branch", "author"), pk=message_pk)
