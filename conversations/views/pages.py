"""Pages: the home page, a conversation, its older messages, the list of conversations."""

from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import AuthenticatedRequest, User
from chatsite.values.moments import parse_day
from chatsite.values.numbers import whole_number
from conversations.access import conversation_or_404, message_or_404, path_or_404
from conversations.forms.turn import TurnForm
from conversations.live import sidebar
from conversations.models import Conversation, Message, Participant, Path, Unsent
from conversations.prompt.toolbox import ToolCounts
from ledger.booking.entries import CallRefused
from upstreams.models import ModelOff

PAGE_SIZE = 40
"""Messages that are loaded at a time."""
LOADED_LIMIT = 240
"""The maximum number of messages that a page gathers by scrolling up. After that, a link leads to another page."""


@require_GET
def home(request: AuthenticatedRequest) -> HttpResponse:
    """An empty composer. `?deleted=<id>` offers to restore the conversation that was just deleted."""
    return render_home(request, build_fresh_form(request.user))


def render_home(request: AuthenticatedRequest, form: TurnForm, status: int = 200) -> HttpResponse:
    deleted = Conversation.objects.restorable_by(request.user)
    prepared = Conversation.objects.prepared_by(request.user).first() or Conversation()
    context = {
        "form": form,
        "prepared": prepared,
        "tools": ToolCounts.of(prepared, request.user),
        "model": form.current_model,
        "deleted": deleted.filter(pk=whole_number(request.GET.get("deleted", "")) or 0).first(),
    }
    return render(request, "conversations/home.html", context, status=status)


@require_GET
def conversations(request: AuthenticatedRequest) -> HttpResponse:
    """The next page of the list, after the cursor `?after=`."""
    page = sidebar.load_page(request.user, after=request.GET.get("after", ""), continues_list=True)
    return render(request, "conversations/_conversations.html", {"page": page})


@require_GET
def find(request: AuthenticatedRequest) -> HttpResponse:
    """The conversations with the words `?q=` in their titles."""
    words = request.GET.get("q", "").replace("\0", "")
    context = {"found": sidebar.find(request.user, words), "words": words}
    return render(request, "conversations/_found.html", context)


@require_GET
def show(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = conversation_or_404(request, pk)
    path = path_or_404(request, conversation)
    return render_conversation(request, path, build_fresh_form(request.user, conversation))


def render_conversation(request: AuthenticatedRequest, path: Path, form: TurnForm, status: int = 200) -> HttpResponse:
    conversation = path.conversation
    participants = list(conversation.participants.select_related("user").order_by("pk"))
    owners = [each.user_id for each in participants if each.role == Participant.Role.OWNER]
    context = {
        "conversation": conversation,
        "path": path,
        "participants": participants,
        "is_owner": request.user.pk in owners,
        "deleted": find_deleted(request, path),
        "form": form,
        "tools": ToolCounts.of(conversation, request.user),
        **load_part(request, path),
    }
    return render(request, "conversations/show.html", context, status=status)


def find_deleted(request: AuthenticatedRequest, path: Path) -> Message | None:
    """Returns the message that `?deleted=<id>` offers to restore, if the person may restore it."""
    key = whole_number(request.GET.get("deleted", ""))
    if key is None:
        return None
    messages = Message.objects.restorable_by(request.user)
    return messages.filter(conversation=path.branch.conversation_id, pk=key).first()


def build_fresh_form(
    person: User, conversation: Conversation | None = None, refusal: CallRefused | ModelOff | None = None
) -> TurnForm:
    """Returns a composer with the person's unsent text and a new key. It shows the `refusal`, if given."""
    unsent = Unsent.objects.filter(person=person, conversation=conversation).first()
    initial = {"text": unsent.text if unsent else "", "key": uuid4()}
    return TurnForm(initial=initial, person=person, conversation=conversation, refusal=refusal)


@require_GET
def messages(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Part of the conversation, for a page that shows other parts."""
    conversation = conversation_or_404(request, pk)
    path = path_or_404(request, conversation)
    context = {"conversation": conversation, "path": path, **load_part(request, path)}
    return render(request, "conversations/_messages.html", context)


def load_part(request: HttpRequest, path: Path) -> dict[str, object]:
    """Loads up to PAGE_SIZE messages in order. Pages go by key, so that all cost the same.

    `?before=<message>` ends before a message, and `?from=<message>` begins with it. `?date=<day>` begins with the
    first message of the day or after it. Otherwise, the latest messages are loaded.
    """
    before, begin = (whole_number(request.GET.get(name, "")) for name in ("before", "from"))
    if day := parse_day(request.GET.get("date", "")):
        since = path.messages.filter(created_at__gte=day).order_by("pk").values_list("pk", flat=True)
        begin = since.first() or begin
    shown = path.all_messages.with_versions()
    found = shown.for_reading()
    if begin is not None:
        page = list(found.filter(pk__gte=begin).order_by("pk")[: PAGE_SIZE + 1])
        has_newer, page = len(page) > PAGE_SIZE, page[:PAGE_SIZE]
        has_older = shown.filter(pk__lt=begin).exists()
    else:
        page = list((found.filter(pk__lt=before) if before else found).order_by("-pk")[: PAGE_SIZE + 1])
        has_older, page = len(page) > PAGE_SIZE, page[PAGE_SIZE - 1 :: -1] if page else page
        has_newer = before is not None
    loaded = (whole_number(request.GET.get("loaded", "")) or 0) + len(page)
    return {
        "messages_shown": page,
        "older_than": page[0].pk if page and has_older else None,
        "newer_from": page[-1].pk + 1 if page and has_newer else None,
        "loaded": loaded,
        "is_full": loaded >= LOADED_LIMIT,
    }


@require_GET
def source(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    """The Markdown of a message."""
    message = message_or_404(request, pk, message_pk)
    return HttpResponse(message.text, content_type="text/plain; charset=utf-8")
