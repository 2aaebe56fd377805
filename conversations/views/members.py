"""The members of a conversation."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import AuthenticatedRequest, User
from conversations.access import conversation_or_404, owned_conversation_or_404
from conversations.models import Conversation
from conversations.verbs import members


@require_http_methods(["GET", "POST"])
def show(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Shows all members to each of them. The owner adds people by name."""
    if request.method == "GET":
        return render_members(request, conversation_or_404(request, pk))
    conversation = owned_conversation_or_404(request, pk)
    error = members.add(conversation, request.POST.get("name", ""))
    return render_members(request, conversation, error=error)


@require_POST
def remove(request: AuthenticatedRequest, pk: int, person_pk: int) -> HttpResponse:
    """The owner removes others. Everybody else removes themselves, and so leaves."""
    is_leaving = person_pk == request.user.pk
    conversation = conversation_or_404(request, pk) if is_leaving else owned_conversation_or_404(request, pk)
    person = get_object_or_404(User.objects.filter(participations__conversation=conversation), pk=person_pk)
    error = members.remove(conversation, person)
    if is_leaving and not error:
        return redirect("home")
    return render_members(request, conversation, error=error)


def render_members(request: AuthenticatedRequest, conversation: Conversation, error: str = "") -> HttpResponse:
    context = {
        "conversation": conversation,
        "participants": conversation.participants.select_related("user").order_by("pk"),
        "is_owner": Conversation.objects.owned_by(request.user).filter(pk=conversation.pk).exists(),
        "error": error,
        "name": request.POST.get("name", "") if error else "",
    }
    template = "conversations/_members.html" if request.htmx else "conversations/members.html"
    return render(request, template, context, status=422 if error else 200)
