"""The page "Errors", for administrators: what was logged as an error, in groups."""

from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.views.decorators.http import require_POST, require_safe

from accounts.models import AuthenticatedRequest
from chatsite.errors.recorder import MOST_REFERENCES
from chatsite.models import ErrorGroup

PER_PAGE: Final = 50
LONGEST_REFERENCE: Final = 80

readers_only = permission_required("chatsite.view_errorgroup", raise_exception=True)
editors_only = permission_required("chatsite.change_errorgroup", raise_exception=True)


@readers_only
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    reference = request.GET.get("reference", "").strip()[:LONGEST_REFERENCE]
    shows_resolved = "resolved" in request.GET
    groups = ErrorGroup.objects.resolved() if shows_resolved else ErrorGroup.objects.unresolved()
    if reference:
        groups = ErrorGroup.objects.with_reference(reference)
    context = {
        "page": Paginator(groups.defer("traceback", "references"), PER_PAGE).get_page(request.GET.get("page")),
        "reference": reference,
        "shows_resolved": shows_resolved,
        "resolved_count": ErrorGroup.objects.resolved().count(),
        "unresolved_count": ErrorGroup.objects.unresolved().count(),
        "most_references": MOST_REFERENCES,
    }
    return render(request, "errors/index.html", context)


@readers_only
@require_safe
def show(request: AuthenticatedRequest, group_pk: int) -> HttpResponse:
    group = get_object_or_404(ErrorGroup, pk=group_pk)
    return render(request, "errors/error.html", {"group": group, "most_references": MOST_REFERENCES})


@editors_only
@require_POST
def resolve(request: AuthenticatedRequest, group_pk: int) -> HttpResponse:
    """Hides the group until one of its errors happens again."""
    get_object_or_404(ErrorGroup, pk=group_pk)
    ErrorGroup.objects.filter(pk=group_pk, resolved_at=None).update(resolved_at=now())
    messages.success(request, "Marked as resolved. The error comes back to this list if it happens again.")
    return redirect("errors")


@editors_only
@require_POST
def reopen(request: AuthenticatedRequest, group_pk: int) -> HttpResponse:
    get_object_or_404(ErrorGroup, pk=group_pk)
    ErrorGroup.objects.filter(pk=group_pk).update(resolved_at=None)
    return redirect("error", group_pk)
