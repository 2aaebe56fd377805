"""People and groups in the admin, which uses the site's sign-in page."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.views import logout
from django.contrib import admin
from django.contrib.admin.utils import NestedObjects, unquote
from django.contrib.auth import REDIRECT_FIELD_NAME, get_permission_codename
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from accounts import rights, sessions, throttling
from accounts.models import AuthenticatedRequest, User
from chatsite.admin_lists import ListedInAdmin

PERMISSION_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")
_NOT_INCLUDED = "Your own account and accounts with more rights than yours are never included."


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
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(ListedInAdmin, UserAdmin):  # type: ignore[type-arg]
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
        others = people.filter(pk__in=rights.find_manageable_people(request.user).values("pk"), is_active=True)
        pks = list(others.exclude(pk=request.user.pk).values_list("pk", flat=True))
        count = User.objects.filter(pk__in=pks).update(is_active=False)
        for pk in pks:
            self._announce(pk)
        self.message_user(request, f"Deactivated: {count}. {_NOT_INCLUDED}")

    @admin.action(description="Activate selected people", permissions=["change"])
    def activate(self, request: AuthenticatedRequest, people: QuerySet[User]) -> None:
        others = people.filter(pk__in=rights.find_manageable_people(request.user).values("pk"), is_active=False)
        count = User.objects.filter(pk__in=list(others.values_list("pk", flat=True))).update(is_active=True)
        self.message_user(request, f"Activated: {count}. {_NOT_INCLUDED}")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change:
            self._announce(obj.pk)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        answer = super().user_change_password(request, id, form_url)
        person = self.get_object(request, unquote(id))
        if answer.status_code == 302 and person is not None:
            self._announce(person.pk)
            throttling.forget_failures(person.username)
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
        return super().has_change_permission(request, obj) and self._is_manageable(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Allows deleting only people who never signed in. Others are deactivated, and what they wrote stays."""
        can_be_deleted = obj is not None and obj.last_login is None
        return can_be_deleted and super().has_delete_permission(request, obj) and self._is_manageable(request, obj)

    def _is_manageable(self, request: Any, person: User | None) -> bool:
        return person is None or rights.find_manageable_people(request.user).filter(pk=person.pk).exists()

    def _announce(self, pk: int) -> None:
        transaction.on_commit(lambda: sessions.announce_session_end(pk))


@admin.register(Group)
class LimitedGroupAdmin(ListedInAdmin, GroupAdmin):
    """Groups, which only people who hold all of a group's permissions can change or delete."""

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Offers only permissions that the person holds. Django refuses others when the form is sent."""
        if db_field.name == "permissions":
            kwargs["queryset"] = rights.find_permissions(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_manageable(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_manageable(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Requires permission to delete a group's budgets too. Django asks only about models that the admin shows."""
        to_delete, counts, needed, protected = super().get_deleted_objects(objs, request)
        collector = NestedObjects(using=DEFAULT_DB_ALIAS)
        collector.collect(objs)
        for model in collector.data:
            options = model._meta
            delete = f"{options.app_label}.{get_permission_codename('delete', options)}"
            if not options.auto_created and not request.user.has_perm(delete):
                needed.add(str(options.verbose_name))
        return to_delete, counts, needed, protected

    def _is_manageable(self, request: Any, group: Group | None) -> bool:
        return group is None or rights.find_manageable_groups(request.user).filter(pk=group.pk).exists()
