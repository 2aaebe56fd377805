"""The page of deleted conversations and messages that a person can still restore."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import BooleanField, QuerySet, Value
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.timesince import timeuntil
from django.utils.timezone import now
from django.views.decorators.http import require_GET

from accounts.models import AuthenticatedRequest, User
from conversations.models import Conversation, Message
from conversations.models.deletion import time_kept

PAGE_SIZE: Final = 50

type Key = tuple[int, datetime, bool]


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted conversation, or a deleted message and its conversation."""

    conversation: Conversation
    message: Message | None
    deleted_at: datetime

    @property
    def final_at(self) -> datetime:
        return self.deleted_at + time_kept()

    @property
    def time_left(self) -> str:
        """In days, which weeks would hide, or in smaller units."""
        days = (self.final_at - now()).days
        return f"{days} days" if days > 1 else timeuntil(self.final_at, depth=1)

    @property
    def element(self) -> str:
        return f"deleted-m{self.message.pk}" if self.message else f"deleted-{self.conversation.pk}"


@require_GET
def index(request: AuthenticatedRequest) -> HttpResponse:
    page = Paginator(list_keys(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": page, "deleted": load(list(page)), "days": settings.DELETED_DAYS}
    return render(request, "conversations/deleted.html", context)


def list_keys(person: User) -> QuerySet[Any]:
    """Returns the keys of both kinds in one list, the last deleted first."""
    conversations: QuerySet[Any] = select_keys(Conversation.objects.restorable_by(person), is_message=False)
    messages = select_keys(Message.objects.restorable_by(person), is_message=True)
    return conversations.union(messages, all=True).order_by("-deleted_at", "-pk")


def select_keys(rows: QuerySet[Any], *, is_message: bool) -> QuerySet[Any]:
    kind = Value(is_message, output_field=BooleanField())
    keys: QuerySet[Any] = rows.order_by().annotate(is_message=kind).values_list("pk", "deleted_at", "is_message")
    return keys


def load(keys: Sequence[Key]) -> list[Deleted]:
    conversations = Conversation.objects.in_bulk([pk for pk, _, is_message in keys if not is_message])
    messages = Message.objects.for_prompt().select_related("conversation")
    found = messages.in_bulk([pk for pk, _, is_message in keys if is_message])
    return [
        Deleted(found[pk].conversation, found[pk], deleted_at)
        if is_message
        else Deleted(conversations[pk], None, deleted_at)
        for pk, deleted_at, is_message in keys
        if pk in (found if is_message else conversations)
    ]
