"""Finds the conversation, path or message that an address names, and checks access."""

from django.http import Http404
from django.shortcuts import get_object_or_404

from accounts.models import AuthenticatedRequest
from chatsite.values.numbers import whole_number
from conversations.models import Branch, Conversation, Message, Path
from upstreams.models import ChatModel


def conversation_or_404(request: AuthenticatedRequest, pk: int) -> Conversation:
    """The conversation, if the person takes part in it. For everybody else, it does not exist."""
    return get_object_or_404(Conversation.objects.visible_to(request.user).select_related("branch"), pk=pk)


def owned_conversation_or_404(request: AuthenticatedRequest, pk: int) -> Conversation:
    return get_object_or_404(Conversation.objects.owned_by(request.user), pk=pk)


def path_or_404(request: AuthenticatedRequest, conversation: Conversation) -> Path:
    """Returns the path to the branch in `?branch=`, or to the current one."""
    named = request.GET.get("branch") or request.POST.get("branch") or ""
    try:
        return Path.through(conversation, whole_number(named))
    except Branch.DoesNotExist as error:
        raise Http404 from error


def message_or_404(request: AuthenticatedRequest, pk: int, message_pk: int) -> Message:
    messages = conversation_or_404(request, pk).messages.filter(deleted_at=None).for_reading()
    return get_object_or_404(messages.select_related("conversation", "branch", "author"), pk=message_pk)


def find_chosen_model(request: AuthenticatedRequest, conversation: Conversation) -> ChatModel | None:
    """Returns the model that the composer or form names, if it exists, else the one that answers next.

    Raises ModelOff if the named model is switched off, as on an old page.
    """
    named = request.GET.get("chat_model") or request.POST.get("chat_model") or ""
    chosen = ChatModel.objects.filter(pk=whole_number(named) or 0).select_related("provider").first()
    if chosen:
        chosen.require_offered()
    return chosen or conversation.find_next_model()
