"""Entries of the ledger in Django's admin, read-only."""

from django.contrib import admin
from django.http import HttpRequest

from chatsite.admin_lists import ListedInAdmin
from ledger.models import Entry


@admin.register(Entry)
class EntryAdmin(ListedInAdmin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = (
        *("started_at", "person_name", "key_name", "model_name", "provider_name", "source"),
        *("input_tokens", "output_tokens", "is_estimate", "cost", "outcome"),
    )
    list_filter = ("source", "outcome", "is_estimate")
    search_fields = ("=request_id", "=upstream_id")
    # A busy site has millions of entries a year, which take too long to count.
    show_full_result_count = False
    list_select_related = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        return False
