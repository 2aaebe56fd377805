"""A person's own API keys: create one, see its secret once, revoke it, and see how programs use it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.keys import ApiKey
from accounts.models import AuthenticatedRequest
from gateway.catalogue.naming import choose_name
from gateway.examples import build_examples
from gateway.forms import ApiKeyForm
from gateway.models import find_models_for
from upstreams.models import ChatModel


@never_cache
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: AuthenticatedRequest) -> HttpResponse:
    """The list, and the form for another key. Only the response to the form shows the new secret."""
    form = ApiKeyForm(request.POST or None, person=request.user)
    if not form.is_valid():
        return _page(request, {"form": form}, status=422 if form.is_bound else 200)
    if form.was_sent_before:
        messages.info(
            request, f"“{form.cleaned_data['name']}” already exists. Its secret was only shown when it was created."
        )
        return redirect("api_keys")
    made, secret = form.save()
    fresh = ApiKeyForm(person=request.user)
    return _page(request, {"form": fresh, "made": made, "secret": secret}, status=201)


@require_POST
def revoke(request: AuthenticatedRequest, key_pk: int) -> HttpResponse:
    key = get_object_or_404(ApiKey, person=request.user, pk=key_pk)
    key.revoke()
    messages.success(request, f"Revoked “{key}”.")
    return redirect("api_keys")


@sensitive_variables("context")
def _page(request: AuthenticatedRequest, context: dict[str, Any], status: int) -> HttpResponse:
    own = request.user.api_keys.prefetch_related("allowed_models__chat_model").select_related("person")
    working = [key for key in own if key.is_valid]
    shown = context.get("made") or next(iter(working), None)
    models = find_models_for(shown) if shown else ChatModel.objects.offered()
    model = models.first()
    name = choose_name(model, models) if model else ""
    site = request.build_absolute_uri("/").rstrip("/")
    context |= {
        "keys": working,
        "former_keys": [key for key in own if not key.is_valid],
        "site": site,
        "example_model": name,
        "examples": build_examples(site, name or "model-id", shown),
    }
    template = "gateway/_keys.html" if request.htmx else "gateway/keys.html"
    return render(request, template, context, status=status)
