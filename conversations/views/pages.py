"""Reading: the first page, a conversation, its older messages, the list of conversations."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from accounts.models import AuthenticatedRequest
from conversations import listing
from conversations.access import conversation_or_404
from conversations.forms import TurnForm
from conversations.models import Conversation
from upstreams.models import ChatModel

PAGE_SIZE = 40
"""Messages on a page; older ones come when asked for."""


@require_GET
def home(request: AuthenticatedRequest) -> HttpResponse:
    """A fresh composer. `?deleted=<id>` offers to undo what led here."""
    deleted = request.GET.get("deleted", "")
    undo = Conversation.objects.of(request.user).exclude(deleted_at=None) if deleted.isdigit() else None
    return render(
        request,
        "conversations/home.html",
        {
            "form": TurnForm(),
            "model": ChatModel.objects.default(),
            "deleted": undo.filter(pk=deleted).first() if undo is not None else None,
        },
    )


@require_GET
def conversations(request: AuthenticatedRequest) -> HttpResponse:
    """The next part of the list, after `?after=<place>`."""
    page = listing.page_of(request.user, after=request.GET.get("after", ""))
    return render(request, "conversations/_conversations.html", {"page": page})


@require_GET
def show(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = conversation_or_404(request, pk)
    return render_conversation(request, conversation, TurnForm(conversation=conversation))


def render_conversation(
    request: HttpRequest, conversation: Conversation, form: TurnForm, status: int = 200
) -> HttpResponse:
    context = {"conversation": conversation, "form": form, **latest_messages(conversation)}
    return render(request, "conversations/show.html", context, status=status)


@require_GET
def messages(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Messages before `?before=<message>`, or the latest."""
    conversation = conversation_or_404(request, pk)
    before = request.GET.get("before", "")
    context = latest_messages(conversation, int(before) if before.isascii() and before.isdigit() else None)
    return render(request, "conversations/_messages.html", {"conversation": conversation, **context})


def latest_messages(conversation: Conversation, before: int | None = None) -> dict[str, object]:
    """Up to PAGE_SIZE messages in their order, and where older ones begin."""
    found = conversation.messages.for_reading().order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    page = list(found[: PAGE_SIZE + 1])
    has_older, page = len(page) > PAGE_SIZE, page[:PAGE_SIZE]
    page.reverse()
    return {"messages_shown": page, "older_than": page[0].pk if has_older else None}


@require_GET
def source(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    """A message as the Markdown it was written in."""
    message = get_object_or_404(conversation_or_404(request, pk).messages, pk=message_pk)
    return HttpResponse(message.text, content_type="text/plain; charset=utf-8")
