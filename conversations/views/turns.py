"""The forms under a conversation: posting a turn, and stopping the reply."""

from uuid import uuid4

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import AuthenticatedRequest
from conversations.access import conversation_or_404, path_or_404
from conversations.forms.turn import TurnForm
from conversations.models import Branch, Conversation, Path
from conversations.verbs import turns
from conversations.views import pages
from conversations.views.attachments import accept_files, apply_encodings
from ledger.booking import entries
from ledger.booking.entries import CallRefused
from upstreams.models import ModelOff


@require_POST
def post(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = conversation_or_404(request, pk)
    path = path_or_404(request, conversation)
    form = bind_form(request, conversation)
    if not form.is_valid():
        return (
            render_errors(request, form)
            if request.htmx
            else pages.render_conversation(request, path, form, form.status)
        )
    turns.post(path, request.user, **form.turn())
    if not request.htmx:
        return redirect_to(conversation, path.branch)
    # The turn itself arrives over the socket, as it does for all viewers.
    context = {"key": uuid4(), "attached": form.cleaned_data["attached"]}
    return render(request, "conversations/updates/sent.html", context, status=201)


@require_POST
def begin(request: AuthenticatedRequest) -> HttpResponse:
    """Begins a conversation with its first turn. A turn that is sent twice leads to the same conversation."""
    form = bind_form(request, None)
    if not form.is_valid():
        return render_errors(request, form) if request.htmx else pages.render_home(request, form, form.status)
    conversation = turns.begin_with(request.user, **form.turn())
    return HttpResponseClientRedirect(address_of(conversation)) if request.htmx else redirect_to(conversation)


def bind_form(request: AuthenticatedRequest, conversation: Conversation | None) -> TurnForm:
    """Returns the form with the posted turn. Without scripts, its files come in the same request."""
    apply_encodings(request, conversation)
    attached, refusals = accept_files(request, conversation)
    posted = request.POST.copy()
    for each in attached:
        posted.appendlist("attached", str(each.uuid))
    form = TurnForm(posted, person=request.user, conversation=conversation)
    for refusal in refusals:
        form.add_error("attached", refusal)
    return form


@require_POST
def stop(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Stops the running reply, and those that are queued after it."""
    conversation = conversation_or_404(request, pk)
    path = path_or_404(request, conversation)
    for generation in conversation.generations.unfinished().select_related("message__conversation").order_by("-pk"):
        turns.stop(generation)
    return HttpResponse(status=204) if request.htmx else redirect_to(conversation, path.branch)


def render_errors(request: AuthenticatedRequest, form: TurnForm) -> HttpResponse:
    """Sends only the errors, so that the typed text is not replaced."""
    return render(request, "conversations/_composer_errors.html", {"form": form}, status=form.status)


def limit_response(request: AuthenticatedRequest, path: Path) -> HttpResponse | None:
    """Returns the response to a person who has reached a limit, or None if they may ask for an answer."""
    refusal = entries.find_refusal(request.user)
    return render_refusal(request, path, refusal) if refusal else None


def render_refusal(request: AuthenticatedRequest, path: Path, refusal: CallRefused | ModelOff) -> HttpResponse:
    """Shows at the composer why no answer may be asked for."""
    status = 429 if isinstance(refusal, CallRefused) else 422
    if request.htmx:
        return render(request, "conversations/updates/refused.html", {"refusal": refusal}, status=status)
    form = pages.build_fresh_form(request.user, path.conversation, refusal)
    return pages.render_conversation(request, path, form, status=status)


def address_of(conversation: Conversation, branch: Branch | None = None) -> str:
    """Returns the address of a branch, by default the current one."""
    named = "" if branch is None or branch.pk == conversation.branch_id else f"?branch={branch.pk}"
    return reverse("conversation", args=[conversation.pk]) + named


def redirect_to(conversation: Conversation, branch: Branch | None = None) -> HttpResponseRedirect:
    return redirect(address_of(conversation, branch))
