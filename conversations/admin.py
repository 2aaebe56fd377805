"""Conversations in the admin pages, where they can be read and not changed."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chatsite.admin_lists import ListedInAdmin
from conversations.models import Conversation, Generation, Message, Participant

TRANSCRIPT_LENGTH = 200
"""Messages shown with a conversation. The list of messages has those of a longer one."""


PARAMETERS = (
    *("max_tokens", "temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"),
    *("stop_sequences", "thinking", "thinking_budget", "reasoning_effort"),
)


class ReadOnlyAdmin(ListedInAdmin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Nobody adds, changes or deletes these records by hand."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ParticipantInline(admin.StackedInline):  # type: ignore[type-arg]
    model = Participant
    fields = ("user", "role", "active_at")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "owner", "message_count", "chat_model", "created_at", "deleted_at")
    list_filter = ("created_at", ("deleted_at", admin.EmptyFieldListFilter), "chat_model")
    list_select_related = ("chat_model",)
    search_fields = ("title", "participants__user__username", "participants__user__name")
    date_hierarchy = "created_at"
    inlines = (ParticipantInline,)
    fieldsets = (
        (None, {"fields": ("title", "transcript")}),
        ("Times", {"fields": ("created_at", "deleted_at")}),
        ("Settings", {"fields": ("chat_model", "system_prompt", "parameters")}),
    )
    readonly_fields = ("title", "transcript", "created_at", "deleted_at", "chat_model", "system_prompt", "parameters")

    class Media:
        css = {"all": ("css/transcript.css", "css/code.css")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        found: QuerySet[Conversation] = super().get_queryset(request).prefetch_related("participants__user")
        return found.filter(prepared_by=None).annotate(message_count=Count("messages", distinct=True))

    @admin.display
    def owner(self, conversation: Conversation) -> str:
        owners = (p.user for p in conversation.participants.all() if p.role == Participant.Role.OWNER)
        return ", ".join(map(str, owners))

    @admin.display(description="messages", ordering="message_count")
    def message_count(self, conversation: Any) -> int:
        count: int = conversation.message_count
        return count

    @admin.display
    def transcript(self, conversation: Conversation) -> SafeString:
        messages = list(conversation.messages.for_reading()[: TRANSCRIPT_LENGTH + 1])
        context = {
            "messages": messages[:TRANSCRIPT_LENGTH],
            "rest": f"{reverse('admin:conversations_message_changelist')}?conversation__id__exact={conversation.pk}"
            if len(messages) > TRANSCRIPT_LENGTH
            else "",
        }
        return render_to_string("admin/conversations/_transcript.html", context)

    @admin.display
    def parameters(self, conversation: Conversation) -> str:
        given = ((name, getattr(conversation, name)) for name in PARAMETERS)
        return ", ".join(f"{name} {value}" for name, value in given if value not in (None, [], "")) or "the model's own"


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ("id", "conversation", "role", "author", "start", "created_at")
    list_filter = ("role", "created_at")
    list_select_related = ("conversation", "author")
    search_fields = ("blocks", "author__username", "author__name", "conversation__title")
    date_hierarchy = "created_at"
    fields = ("conversation_link", "role", "author", "text", "blocks", "revision", "created_at")
    readonly_fields = fields

    @admin.display(description="text")
    def start(self, message: Message) -> str:
        return message.text[:120]

    @admin.display(description="conversation")
    def conversation_link(self, message: Message) -> SafeString:
        return link_to(message.conversation)


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin):
    """Answers. Only staff who may change providers see, and can search, addresses in the words of upstreams."""

    list_display = (
        *("id", "conversation", "model_name", "provider_name", "state", "error_kind"),
        *("output_tokens", "cost", "queued_at", "finished_at"),
    )
    list_filter = ("state", "error_kind", "provider_name", "model_name", "queued_at")
    list_select_related = ("conversation",)
    search_fields = ("model_name", "provider_name", "error_message", "conversation__title")
    date_hierarchy = "queued_at"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        detail = "error_detail" if sees_addresses(request) else "shown_detail"
        names = [field.name for field in Generation._meta.fields]
        return [detail if name == "error_detail" else name for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    def get_search_fields(self, request: HttpRequest) -> Any:
        return (*self.search_fields, "error_detail") if sees_addresses(request) else self.search_fields

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuses to tell by a filter in the page's address what the detail contains."""
        is_about_detail = lookup.partition("__")[0] == "error_detail"
        return super().lookup_allowed(lookup, value, request) and (sees_addresses(request) or not is_about_detail)

    @admin.display(description="error detail")
    def shown_detail(self, generation: Generation) -> str:
        return generation.shown_detail


def sees_addresses(request: HttpRequest) -> bool:
    return request.user.has_perm("upstreams.change_provider")


def link_to(conversation: Conversation) -> SafeString:
    address = reverse("admin:conversations_conversation_change", args=[conversation.pk])
    return format_html('<a href="{}">{}</a>', address, conversation)
