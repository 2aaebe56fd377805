"""Speaking and stopping: the forms under a conversation."""

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import AuthenticatedRequest
from conversations import turns
from conversations.access import conversation_or_404
from conversations.forms import TurnForm
from conversations.models import Conversation
from conversations.views import pages


@require_POST
def post(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = conversation_or_404(request, pk)
    form = TurnForm(request.POST, conversation=conversation)
    if not form.is_valid():
        if request.htmx:
            return refused(request, form)
        return pages.render_conversation(request, conversation, form, status=422)
    turns.post(conversation, request.user, form.cleaned_data["text"], form.cleaned_data["chat_model"])
    # The turn itself arrives over the socket, as it does for everybody.
    return HttpResponse(status=201) if request.htmx else to(conversation)


@require_POST
def begin(request: AuthenticatedRequest) -> HttpResponse:
    """The first turn makes the conversation."""
    form = TurnForm(request.POST)
    if not form.is_valid():
        if request.htmx:
            return refused(request, form)
        return render(request, "conversations/home.html", {"form": form}, status=422)
    chat_model = form.cleaned_data["chat_model"]
    conversation = turns.begin(request.user, chat_model=chat_model)
    turns.post(conversation, request.user, form.cleaned_data["text"], chat_model)
    return HttpResponseClientRedirect(address(conversation)) if request.htmx else to(conversation)


@require_POST
def stop(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Ends the reply that runs, and those that wait after it."""
    conversation = conversation_or_404(request, pk)
    for generation in conversation.generations.unfinished().select_related("message__conversation").order_by("-pk"):
        turns.stop(generation)
    return HttpResponse(status=204) if request.htmx else to(conversation)


def refused(request: AuthenticatedRequest, form: TurnForm) -> HttpResponse:
    """Only the words: what was typed stays where it is."""
    return render(request, "conversations/_composer_errors.html", {"form": form}, status=422)


def address(conversation: Conversation) -> str:
    return reverse("conversation", args=[conversation.pk])


def to(conversation: Conversation) -> HttpResponseRedirect:
    return redirect(address(conversation))
