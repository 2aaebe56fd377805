"""What people do with a message that is there: ask again, edit, go on, delete, fork."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import AuthenticatedRequest
from chatsite.numbers import whole_number
from conversations.access import conversation_or_404, message_or_404
from conversations.forms import TurnForm
from conversations.models import Branch, Conversation, Message, Path, Role
from conversations.verbs import deleting, forking, turns
from conversations.views.turns import address, over_limit, refused
from upstreams.models import ChatModel


@require_POST
def retry(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    if message.role != Role.ASSISTANT:
        raise PermissionDenied("Only an answer can be retried.")
    if refusal := over_limit(request, Path.to(message.branch)):
        return refusal
    generation = turns.retry(message, request.user, chosen_model(request, message))
    return gone_to(request, message.conversation, generation.message.branch)


@require_http_methods(["GET", "POST"])
def edit(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    if message.author_id != request.user.pk:
        raise PermissionDenied("Only the author of a message can edit it.")
    conversation = message.conversation
    keeps = list(message.attachments.all())
    form = TurnForm(
        request.POST or None,
        person=request.user,
        conversation=conversation,
        keeps=keeps,
        initial={"text": message.text},
    )
    if request.method == "POST" and form.is_valid():
        turn = form.turn()
        generation = turns.edit(message, request.user, turn["text"], turn["chat_model"])
        return gone_to(request, conversation, generation.message.branch)
    if request.method == "POST" and request.htmx:
        return refused(request, form)
    template = "conversations/_edit.html" if request.htmx else "conversations/edit.html"
    context = {"form": form, "message": message, "conversation": conversation}
    return render(request, template, context, status=form.status if request.method == "POST" else 200)


@require_POST
def go_on(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    if refusal := over_limit(request, Path.to(message.branch)):
        return refusal
    turns.go_on(message, request.user)
    return HttpResponse(status=204) if request.htmx else redirect(address(message.conversation, message.branch))


@require_POST
def delete(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    demand_right_to_delete(request, message)
    if instead := deleting.delete(message):
        there = f"{address(message.conversation)}?branch={instead.branch_id}&deleted={message.pk}#m{instead.pk}"
        return HttpResponseClientRedirect(there) if request.htmx else redirect(there)
    if request.htmx:
        return render(request, "conversations/updates/message_deleted.html", {"message": message})
    return redirect(address(message.conversation, message.branch))


@require_POST
def restore(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    deleted = conversation_or_404(request, pk).messages.restorable()
    message = get_object_or_404(deleted.select_related("conversation", "branch"), pk=message_pk)
    demand_right_to_delete(request, message)
    deleting.restore(message)
    return HttpResponse(status=204) if request.htmx else redirect(address(message.conversation, message.branch))


@require_POST
def fork(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    return gone_to(request, forking.fork(message, request.user))


def chosen_model(request: AuthenticatedRequest, message: Message) -> ChatModel | None:
    """The model that the form names, if people may use it, else the one that the conversation speaks with."""
    named = whole_number(request.POST.get("chat_model", "")) or 0
    return ChatModel.find_offered(named) or message.conversation.speaking_model()


def demand_right_to_delete(request: AuthenticatedRequest, message: Message) -> None:
    """One's own messages; in a conversation of one's own, all."""
    is_own = message.author_id == request.user.pk
    if not is_own and not Conversation.objects.owned_by(request.user).filter(pk=message.conversation_id).exists():
        raise PermissionDenied("Only the author or the conversation’s owner can delete a message.")


def gone_to(request: AuthenticatedRequest, conversation: Conversation, branch: Branch | None = None) -> HttpResponse:
    """The branch that was just made is the person's own choice, so it stands in the address."""
    there = address(conversation) + (f"?branch={branch.pk}" if branch else "")
    return HttpResponseClientRedirect(there) if request.htmx else redirect(there)
