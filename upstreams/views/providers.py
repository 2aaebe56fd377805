"""The list of providers, and the pages of one provider."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import AuthenticatedRequest
from upstreams import addresses
from upstreams.catalogue.environment import is_named, name_variables
from upstreams.catalogue.presets import PRESETS
from upstreams.forms import ProviderForm
from upstreams.models import ChatModel, Provider, ProviderSource
from upstreams.views.access import administrators_only


@administrators_only
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    providers = Provider.objects.annotate(
        models_offered=Count("chat_models", filter=Q(chat_models__is_enabled=True)), models_known=Count("chat_models")
    ).order_by(Lower("name"))
    own = providers.exclude(source=ProviderSource.DEMO)
    offered = ChatModel.objects.offered().first()
    context = {
        "providers": own,
        "demo": providers.filter(source=ProviderSource.DEMO).first(),
        "demo_is_offered": offered is not None and offered.provider.is_demo,
        "default": offered,
        "presets": PRESETS.values(),
    }
    return render(request, "upstreams/providers.html", context)


@administrators_only
@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: AuthenticatedRequest) -> HttpResponse:
    preset = PRESETS.get(request.GET.get("preset", ""))
    form = ProviderForm(request.POST or None, initial=preset.initial if preset else None)
    if form.is_valid():
        provider = form.save()
        messages.success(request, f"Saved {provider}.")
        return redirect("provider", provider.pk)
    context = {"form": form, "presets": PRESETS.values(), "preset": preset}
    return render(request, "upstreams/provider_form.html", context, status=422 if form.is_bound else 200)


@administrators_only
@require_safe
def show(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    return render(request, "upstreams/provider.html", page_context(request, get_object_or_404(Provider, pk=pk)))


@administrators_only
@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    provider = get_object_or_404(Provider.objects.exclude(source=ProviderSource.DEMO), pk=pk)
    form = ProviderForm(request.POST or None, instance=provider)
    if form.is_valid():
        form.save()
        messages.success(request, f"Saved {provider}.")
        return redirect("provider", pk)
    status = 422 if form.is_bound else 200
    return render(request, "upstreams/provider_form.html", edit_context(form, pk), status=status)


@administrators_only
@require_POST
def set_enabled(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=pk)
    if not can_be_enabled(provider):
        raise PermissionDenied("The environment no longer defines this provider.")
    provider.is_enabled = request.POST.get("enabled") == "on"
    provider.save(update_fields=["is_enabled"])
    return redirect("provider", pk)


@administrators_only
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=pk)
    if not is_deletable(provider):
        raise PermissionDenied("The next start would add this provider again.")
    if request.method == "POST":
        provider.delete()
        messages.success(request, f"Deleted {provider.name}.")
        return redirect("providers")
    return render(request, "upstreams/provider_delete.html", {"provider": provider})


def is_deletable(provider: Provider) -> bool:
    """False for providers that the next start would restore."""
    return provider.source == ProviderSource.PERSON or (provider.is_from_environment and not is_named(provider))


def can_be_enabled(provider: Provider) -> bool:
    return not provider.is_from_environment or is_named(provider)


def page_context(request: AuthenticatedRequest, provider: Provider) -> dict[str, Any]:
    """The context of a provider's page, also when an action without script renders it again."""
    return {
        "provider": provider,
        "doubt": "" if provider.is_demo else addresses.find_doubt(provider.protocol, provider.base_url),
        "variables": name_variables(provider),
        "is_deletable": is_deletable(provider),
        "can_be_enabled": can_be_enabled(provider),
        **table_context(request, provider),
    }


def edit_context(form: ProviderForm, pk: int) -> dict[str, Any]:
    # Read again: validation writes the entered values into the form's instance, whether they are valid or not.
    provider = Provider.objects.get(pk=pk)
    return {"form": form, "provider": provider, "variables": name_variables(provider)}


def table_context(request: AuthenticatedRequest, provider: Provider) -> dict[str, Any]:
    """The context of the table of a provider's models, filtered by `q`."""
    query = request.GET.get("q", "").strip()
    found: QuerySet[ChatModel] = provider.chat_models.order_by("-is_enabled", "name", "pk")
    if query:
        found = found.filter(Q(name__icontains=query) | Q(model_id__icontains=query))
    return {
        "provider": provider,
        "chat_models": found,
        "query": query,
        "models_known": provider.chat_models.count(),
        "models_offered": provider.chat_models.filter(is_enabled=True).count(),
    }
