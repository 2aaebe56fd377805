"""What people do with a message: retry, edit, continue, delete, restore, fork."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import AuthenticatedRequest
from conversations.access import conversation_or_404, find_chosen_model, message_or_404
from conversations.forms.turn import TurnForm
from conversations.models import Branch, Conversation, Message, Path, Role
from conversations.verbs import deleting, forking, turns
from conversations.views.turns import address_of, limit_response, render_errors, render_refusal
from upstreams.models import ModelOff


@require_POST
def retry(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    if message.role != Role.ASSISTANT:
        raise PermissionDenied("Only an answer can be retried.")
    if refusal := limit_response(request, Path.to(message.branch)):
        return refusal
    try:
        chat_model = find_chosen_model(request, message.conversation)
    except ModelOff as off:
        return render_refusal(request, Path.to(message.branch), off)
    generation = turns.retry(message, request.user, chat_model)
    return redirect_to_new(request, message.conversation, generation.message.branch)


@require_http_methods(["GET", "POST"])
def edit(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    if message.author_id != request.user.pk:
        raise PermissionDenied("Only the author of a message can edit it.")
    conversation = message.conversation
    existing_files = list(message.attachments.all())
    form = TurnForm(
        request.POST or None,
        person=request.user,
        conversation=conversation,
        existing_files=existing_files,
        initial={"text": message.text},
    )
    if request.method == "POST" and form.is_valid():
        turn = form.turn()
        generation = turns.edit(message, request.user, turn["text"], turn["chat_model"])
        return redirect_to_new(request, conversation, generation.message.branch)
    if request.method == "POST" and request.htmx:
        return render_errors(request, form)
    template = "conversations/_edit.html" if request.htmx else "conversations/edit.html"
    context = {"form": form, "message": message, "conversation": conversation}
    return render(request, template, context, status=form.status if request.method == "POST" else 200)


@require_POST
def continue_answer(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    if refusal := limit_response(request, Path.to(message.branch)):
        return refusal
    try:
        turns.continue_answer(message, request.user)
    except ModelOff as off:
        return render_refusal(request, Path.to(message.branch), off)
    return HttpResponse(status=204) if request.htmx else redirect(address_of(message.conversation, message.branch))


@require_POST
def delete(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    require_right_to_delete(request, message)
    if instead := deleting.delete(message):
        there = f"{address_of(message.conversation)}?branch={instead.branch_id}&deleted={message.pk}#m{instead.pk}"
        return HttpResponseClientRedirect(there) if request.htmx else redirect(there)
    if request.htmx:
        return render(request, "conversations/updates/message_deleted.html", {"message": message})
    return redirect(address_of(message.conversation, message.branch))


@require_POST
def restore(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    deleted = conversation_or_404(request, pk).messages.restorable()
    message = get_object_or_404(deleted.select_related("conversation", "branch"), pk=message_pk)
    require_right_to_delete(request, message)
    deleting.restore(message)
    return HttpResponse(status=204) if request.htmx else redirect(address_of(message.conversation, message.branch))


@require_POST
def fork(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    return redirect_to_new(request, forking.fork(message, request.user))


def require_right_to_delete(request: AuthenticatedRequest, message: Message) -> None:
    """People may delete their own messages, and owners all messages of the conversation."""
    is_own = message.author_id == request.user.pk
    if not is_own and not Conversation.objects.owned_by(request.user).filter(pk=message.conversation_id).exists():
        raise PermissionDenied("Only the author or the conversation’s owner can delete a message.")


def redirect_to_new(
    request: AuthenticatedRequest, conversation: Conversation, branch: Branch | None = None
) -> HttpResponse:
    """Redirects to a new branch. Its key is in the address, because others may post on another one meanwhile."""
    there = address_of(conversation) + (f"?branch={branch.pk}" if branch else "")
    return HttpResponseClientRedirect(there) if request.htmx else redirect(there)
