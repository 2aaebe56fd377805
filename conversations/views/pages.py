"""Reading: the first page, a conversation, its older messages, the list of conversations."""

from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import AuthenticatedRequest, User
from conversations import places
from conversations.access import conversation_or_404, message_or_404, path_or_404
from conversations.forms import TurnForm
from conversations.models import Conversation, Participant, Path, Unsent
from upstreams.models import ChatModel

PAGE_SIZE = 40
"""Messages on a page; older ones come when asked for."""


@require_GET
def home(request: AuthenticatedRequest) -> HttpResponse:
    """A fresh composer. `?deleted=<id>` offers to undo what led here."""
    return render_home(request, fresh_form(request.user))


def render_home(request: AuthenticatedRequest, form: TurnForm, status: int = 200) -> HttpResponse:
    named = request.GET.get("deleted", "")
    deleted = Conversation.objects.of(request.user).exclude(deleted_at=None)
    context = {
        "form": form,
        "model": ChatModel.objects.default(),
        "deleted": deleted.filter(pk=named).first() if named.isascii() and named.isdigit() else None,
    }
    return render(request, "conversations/home.html", context, status=status)


@require_GET
def conversations(request: AuthenticatedRequest) -> HttpResponse:
    """The next part of the list, after `?after=<place>`."""
    page = places.page_of(request.user, after=request.GET.get("after", ""))
    return render(request, "conversations/_conversations.html", {"page": page})


@require_GET
def show(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = conversation_or_404(request, pk)
    path = path_or_404(request, conversation)
    return render_conversation(request, path, fresh_form(request.user, conversation))


def render_conversation(request: HttpRequest, path: Path, form: TurnForm, status: int = 200) -> HttpResponse:
    conversation = path.branch.conversation
    participants = list(conversation.participants.select_related("user").order_by("pk"))
    owners = [each.user_id for each in participants if each.role == Participant.Role.OWNER]
    context = {
        "conversation": conversation,
        "path": path,
        "participants": participants,
        "is_owner": request.user.pk in owners,
        "form": form,
        **messages_of(path),
    }
    return render(request, "conversations/show.html", context, status=status)


def fresh_form(person: User, conversation: Conversation | None = None) -> TurnForm:
    """A composer with what was left in it, and a key of its own."""
    unsent = Unsent.objects.filter(person=person, conversation=conversation).first()
    initial = {"text": unsent.text if unsent else "", "key": uuid4()}
    return TurnForm(initial=initial, conversation=conversation)


@require_GET
def messages(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Messages before `?before=<message>`, or the latest."""
    conversation = conversation_or_404(request, pk)
    path = path_or_404(request, conversation)
    before = request.GET.get("before", "")
    context = messages_of(path, int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None)
    return render(request, "conversations/_messages.html", {"conversation": conversation, "path": path, **context})


def messages_of(path: Path, before: int | None = None) -> dict[str, object]:
    """Up to PAGE_SIZE messages in their order, and where older ones begin."""
    found = path.messages.for_reading().order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    page = list(found[: PAGE_SIZE + 1])
    has_older, page = len(page) > PAGE_SIZE, page[:PAGE_SIZE]
    page.reverse()
    return {"messages_shown": page, "older_than": page[0].pk if has_older else None}


@require_GET
def source(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    """A message as the Markdown it was written in."""
    message = message_or_404(request, pk, message_pk)
    return HttpResponse(message.text, content_type="text/plain; charset=utf-8")
