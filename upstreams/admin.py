"""Providers and chat models in Django's admin, which neither shows nor changes keys."""

from django.contrib import admin

from chatsite.admin_lists import ListedInAdmin
from upstreams.models import ChatModel, Provider


@admin.register(Provider)
class ProviderAdmin(ListedInAdmin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "protocol", "base_url", "has_key", "is_enabled", "source", "listed_at"]
    list_filter = ["protocol", "source", "is_enabled"]
    search_fields = ["name", "base_url"]
    # Including the address: a key belongs to it, and only the provider pages can ask for another key.
    readonly_fields = ["protocol", "base_url", "source", "has_key", "listed_at", "listing_error", "created_at"]

    @admin.display(boolean=True, description="key")
    def has_key(self, provider: Provider) -> bool:
        return provider.has_key

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(ChatModel)
class ChatModelAdmin(ListedInAdmin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = [
        "name",
        "model_id",
        "provider",
        "is_enabled",
        "is_default",
        "is_listed",
        "input_price",
        "output_price",
    ]
    list_filter = ["provider", "is_enabled", "is_listed"]
    list_select_related = ["provider"]
    search_fields = ["name", "model_id"]
    readonly_fields = ["is_default", "is_listed", "as_listed"]
