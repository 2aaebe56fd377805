"""A provider's models, with their names, limits and prices, and whether people may choose them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import AuthenticatedRequest
from upstreams.forms import ChatModelForm
from upstreams.models import ChatModel, Provider
from upstreams.views.access import administrators_only
from upstreams.views.providers import table_context


@administrators_only
@require_safe
def index(request: AuthenticatedRequest, provider_pk: int) -> HttpResponse:
    """Only the table, filtered by `q`. The filter field requests it while a person types."""
    provider = get_object_or_404(Provider, pk=provider_pk)
    return render(request, "upstreams/_models_table.html", table_context(request, provider))


@administrators_only
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: AuthenticatedRequest, provider_pk: int) -> HttpResponse:
    provider = get_object_or_404(Provider, pk=provider_pk)
    return _form_page(request, ChatModelForm(request.POST or None, provider=provider), provider)


@administrators_only
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    model = get_object_or_404(ChatModel.objects.select_related("provider"), pk=pk)
    return _form_page(request, ChatModelForm(request.POST or None, instance=model, provider=model.provider), model)


def _form_page(request: AuthenticatedRequest, form: ChatModelForm, what: Provider | ChatModel) -> HttpResponse:
    if form.is_valid():
        model = form.save()
        messages.success(request, f"Saved {model}.")
        return redirect(_url_of(model))
    title = "Add a model" if isinstance(what, Provider) else ChatModel.objects.get(pk=what.pk).name
    context = {"form": form, "provider": form.instance.provider, "chat_model": form.instance, "title": title}
    return render(request, "upstreams/chat_model_form.html", context, status=422 if form.is_bound else 200)


@administrators_only
@require_POST
def set_enabled(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    model = get_object_or_404(ChatModel.objects.select_related("provider"), pk=pk)
    model.set_offered(request.POST.get("enabled") == "on")
    if not request.htmx:
        return redirect(_url_of(model))
    context = {"chat_model": model, **table_context(request, model.provider)}
    return render(request, "upstreams/_model_enabled.html", context)


@administrators_only
@require_POST
def set_all_enabled(request: AuthenticatedRequest, provider_pk: int) -> HttpResponse:
    """Offers all models in the table, or none of them. With a filter, other models stay as they are."""
    provider = get_object_or_404(Provider, pk=provider_pk)
    shown = table_context(request, provider)["chat_models"]
    if request.POST.get("enabled") == "on":
        shown.update(is_enabled=True)
    else:
        shown.update(is_enabled=False, is_default=False)
    return _table(request, provider)


@administrators_only
@require_POST
def make_default(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    model = get_object_or_404(ChatModel.objects.select_related("provider"), pk=pk)
    model.make_default()
    return _table(request, model.provider)


@administrators_only
@require_POST
def delete(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Deletes a model that the server does not list. The next listing would restore any other."""
    model = get_object_or_404(ChatModel.objects.select_related("provider").filter(is_listed=False), pk=pk)
    model.delete()
    messages.success(request, f"Removed {model}.")
    return redirect("provider", model.provider.pk)


def _table(request: AuthenticatedRequest, provider: Provider) -> HttpResponse:
    if not request.htmx:
        return redirect("provider", provider.pk)
    return render(request, "upstreams/_models_table.html", table_context(request, provider))


def _url_of(model: ChatModel) -> str:
    return f"{reverse('provider', args=[model.provider.pk])}#model-{model.pk}"
