"""People and groups in the admin, which uses the site's sign-in page."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.views import logout
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from accounts import sessions, throttling
from accounts.models import AuthenticatedRequest, User

PERMISSION_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")


@never_cache
@login_not_required
def sign_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Redirects to the site's throttled sign-in page: Django's own would accept passwords without a limit."""
    if admin.site.has_permission(request):
        return redirect("admin:index")
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index"))


admin.site.login = sign_in  # type: ignore[method-assign]
admin.site.logout = logout  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = "chatsite"
admin.site.index_title = "Administration"
admin.site.unregister(EmailAddress)


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    fieldsets = (
        (None, {"fields": ("username", "name", "email", "password")}),
        ("Status and permissions", {"fields": ("is_active", *PERMISSION_FIELDS)}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "name", "email", "password1", "password2")}),)
    list_display = ("username", "name", "email", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "groups", "last_login")
    search_fields = ("username", "name", "email")
    readonly_fields = ("last_login", "date_joined")
    actions = ("deactivate", "activate")

    @admin.action(description="Deactivate selected people and sign them out", permissions=["change"])
    def deactivate(self, request: AuthenticatedRequest, people: QuerySet[User]) -> None:
        others = self._changeable_by(request, people).exclude(pk=request.user.pk).filter(is_active=True)
        pks = list(others.values_list("pk", flat=True))
        count = others.update(is_active=False)
        for pk in pks:
            self._announce(pk)
        self.message_user(request, f"Deactivated: {count}. Your own account is never included.")

    @admin.action(description="Activate selected people", permissions=["change"])
    def activate(self, request: HttpRequest, people: QuerySet[User]) -> None:
        count = self._changeable_by(request, people).filter(is_active=False).update(is_active=True)
        self.message_user(request, f"Activated: {count}.")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change:
            self._announce(obj.pk)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        answer = super().user_change_password(request, id, form_url)
        if answer.status_code == 302 and id.isdecimal():
            self._announce(int(id))
            throttling.forget_failures(User.objects.get(pk=id).username)
        return answer

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only superusers grant permissions, and nobody can deactivate their own account."""
        fields = [*super().get_readonly_fields(request, obj)]
        if not request.user.is_superuser:
            fields += PERMISSION_FIELDS
        if obj is not None and obj.pk == request.user.pk:
            fields += ["is_active", *({"is_staff", "is_superuser"} - {*fields})]
        return fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may_change = obj is None or not obj.is_superuser or request.user.is_superuser
        return may_change and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Allows deleting only people who never signed in. Others are deactivated, and what they wrote stays."""
        return obj is not None and obj.last_login is None and super().has_delete_permission(request, obj)

    def _changeable_by(self, request: HttpRequest, people: QuerySet[User]) -> QuerySet[User]:
        return people if request.user.is_superuser else people.filter(is_superuser=False)

    def _announce(self, pk: int) -> None:
        transaction.on_commit(lambda: sessions.announce_session_end(pk))
