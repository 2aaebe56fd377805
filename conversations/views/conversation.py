"""Changing a conversation itself: its title, its settings, deleting and restoring it."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from accounts.models import AuthenticatedRequest
from conversations.access import conversation_or_404, find_chosen_model, owned_conversation_or_404
from conversations.forms.settings import RenameForm, SettingsForm
from conversations.forms.turn import TurnForm
from conversations.live import broadcasts
from conversations.live.sidebar import SidebarRow
from conversations.models import Conversation
from conversations.prompt.toolbox import ToolCounts
from upstreams.models import ChatModel, ModelOff


@require_http_methods(["GET", "POST"])
def rename(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = conversation_or_404(request, pk)
    form = RenameForm(request.POST or None, instance=conversation)
    if request.method == "POST" and form.is_valid():
        conversation.rename(form.cleaned_data["title"])
        broadcasts.announce_title(conversation)
        if not request.htmx:
            return redirect("conversation", pk)
        return close_dialog(render(request, "conversations/updates/titles.html", {"conversation": conversation}))
    return render_form(request, "rename", {"form": form, "conversation": conversation})


@require_http_methods(["GET", "POST"])
def settings(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """`?at=tools` scrolls to the tools."""
    return change_settings(request, conversation_or_404(request, pk), reverse("conversation", args=[pk]))


@require_http_methods(["GET", "POST"])
def first_settings(request: AuthenticatedRequest) -> HttpResponse:
    """The settings of the person's next conversation, before its first question."""
    prepared = Conversation.objects.prepared_by(request.user)
    if request.method == "POST":
        conversation, _ = prepared.get_or_create(prepared_by=request.user)
    else:
        conversation = prepared.first() or Conversation()
    # Not saved: the model is chosen with the first question.
    conversation.chat_model = TurnForm(person=request.user).current_model
    return change_settings(request, conversation, reverse("home"))


def change_settings(request: AuthenticatedRequest, conversation: Conversation, back: str) -> HttpResponse:
    model = find_model(request, conversation)
    form = SettingsForm(request.POST or None, instance=conversation, person=request.user, model=model)
    if request.method == "POST" and form.is_valid():
        form.save_changes()
        if "tools" in form.changed_data:
            broadcasts.announce_tools(conversation)
        if not request.htmx:
            return redirect(back)
        context: dict[str, object] = {"conversation": conversation, "tools": ToolCounts.of(conversation, request.user)}
        return close_dialog(render(request, "conversations/updates/settings_saved.html", context))
    context = {
        "form": form,
        "conversation": conversation,
        "model": model,
        "back": back,
        "at_tools": request.GET.get("at") == "tools",
    }
    return render_form(request, "settings", context)


def find_model(request: AuthenticatedRequest, conversation: Conversation) -> ChatModel | None:
    """Returns the model that the composer shows, or the next one if that is switched off."""
    try:
        return find_chosen_model(request, conversation)
    except ModelOff:
        return conversation.find_next_model()


def render_form(request: AuthenticatedRequest, name: str, context: dict[str, object]) -> HttpResponse:
    """Renders a form in a dialog, or on its own page without scripts."""
    template = f"conversations/_{name}.html" if request.htmx else f"conversations/{name}.html"
    return render(request, template, context, status=422 if request.method == "POST" else 200)


def close_dialog(response: HttpResponse) -> HttpResponse:
    return trigger_client_event(response, "dialog:close")


@require_POST
def delete(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Deletes the owner's conversation, which can be undone."""
    conversation = owned_conversation_or_404(request, pk)
    Conversation.objects.filter(pk=pk).update(deleted_at=now())
    for person_pk in broadcasts.load_participant_keys(conversation):
        broadcasts.announce_removal(conversation, person_pk)
    is_open = f"/conversations/{pk}/" in (request.htmx.current_url or "")
    if request.htmx and not is_open:
        return render(request, "conversations/updates/deleted.html", {"conversation": conversation})
    home = f"{reverse('home')}?deleted={pk}"
    return HttpResponseClientRedirect(home) if request.htmx else redirect(home)


@require_POST
def restore(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = get_object_or_404(Conversation.objects.restorable_by(request.user), pk=pk)
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=None)
    broadcasts.move_to_top(SidebarRow.of(conversation))
    address = reverse("conversation", args=[pk])
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
