"""Providers and chat models in Django's admin; keys are neither shown nor changed here."""

from django.contrib import admin

from upstreams.models import ChatModel, Provider


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "protocol", "base_url", "has_key", "is_enabled", "source", "listed_at"]
    list_filter = ["protocol", "source", "is_enabled"]
    search_fields = ["name", "base_url"]
    # The address too: a key is bound to it, and only the provider pages can ask for another one.
    readonly_fields = ["protocol", "base_url", "source", "has_key", "listed_at", "listing_error", "created_at"]

    @admin.display(boolean=True, description="key")
    def has_key(self, provider: Provider) -> bool:
        return provider.has_key

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(ChatModel)
class ChatModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
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
