"""All API keys, for administrators, who can find and revoke them but never see a secret.

They cannot revoke keys of people with more rights than their own.
"""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts import rights
from accounts.keys import ApiKey, ApiKeyQuerySet
from accounts.models import AuthenticatedRequest, User
from gateway.forms import STATES, KeySearchForm

administrators_only = permission_required("accounts.change_apikey", raise_exception=True)
PER_PAGE = 50


@administrators_only
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    form = KeySearchForm(request.GET)
    form.is_valid()
    query, state = form.cleaned_data.get("q", ""), form.cleaned_data.get("state", "")
    keys = ApiKey.objects.visible_to(request.user)
    found = _filter(keys, query, state).select_related("person").prefetch_related("allowed_models__chat_model")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    owners = rights.find_manageable_people(request.user).filter(pk__in={key.person_id for key in page})
    context = {
        "form": form,
        "page": page,
        "manageable": set(owners.values_list("pk", flat=True)),
        "is_narrowed": bool(query or state),
        "keys_known": keys.count(),
    }
    template = "gateway/_all_keys.html" if request.htmx else "gateway/all_keys.html"
    return render(request, template, context)


@administrators_only
@require_POST
def revoke(request: AuthenticatedRequest, key_pk: int) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.visible_to(request.user).select_related("person"), pk=key_pk)
    if not rights.find_manageable_people(request.user).filter(pk=key.person_id).exists():
        raise PermissionDenied("This person has more rights than you.")
    key.revoke()
    messages.success(request, f"Revoked “{key}” of {key.person}.")
    narrowed = f"?{request.GET.urlencode()}" if request.GET else ""
    return redirect(reverse("everybodys_api_keys") + narrowed)


def _filter(keys: ApiKeyQuerySet, query: str, state: str) -> ApiKeyQuerySet:
    if state in STATES:
        _, narrowing = STATES[state]
        keys = narrowing(keys)
    if query:
        people = User.objects.filter(Q(name__icontains=query) | Q(username__icontains=query))
        keys = keys.filter(Q(name__icontains=query) | Q(beginning__startswith=query) | Q(person__in=people))
    return keys
