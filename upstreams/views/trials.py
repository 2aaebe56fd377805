"""What asks the upstream while somebody waits: testing a connection, listing its models. Async, to hold no thread."""

from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.shortcuts import aget_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.models import AuthenticatedRequest
from upstreams import addresses
from upstreams.catalogue.listing import for_administrators, refresh
from upstreams.catalogue.presets import PRESETS
from upstreams.client import ConnectionReport, ConnectionStep, test_connection
from upstreams.endpoint import Endpoint
from upstreams.forms import TrialForm
from upstreams.models import Provider, ProviderSource
from upstreams.sealing import SealBroken
from upstreams.views.access import administrators_only
from upstreams.views.providers import edit_page_of, models_of, page_of

_LADDER: Final = {
    ConnectionStep.ADDRESS: "Address",
    ConnectionStep.NAME: "Host name",
    ConnectionStep.CONNECT: "Connection",
    ConnectionStep.TLS: "Certificate",
    ConnectionStep.AUTHENTICATION: "Key",
    ConnectionStep.SERVER: "Model server",
    ConnectionStep.LISTING: "List of models",
}

_HINTS: Final = {
    ConnectionStep.ADDRESS: "Check the base URL for typing errors.",
    ConnectionStep.NAME: "Check the spelling of the host name, and that this machine can resolve it.",
    ConnectionStep.CONNECT: "Check that the server is running, its port, and that no firewall blocks the connection.",
    ConnectionStep.TLS: "This machine has to trust the certificate. Inside a network, http:// works without one.",
    ConnectionStep.AUTHENTICATION: "Check that the key is complete, belongs to this server, and is sent as it expects.",
    ConnectionStep.SERVER: "Check the protocol and the path of the base URL.",
}


@administrators_only
@sensitive_post_parameters("key")
@require_POST
async def trial_of_form(request: AuthenticatedRequest, pk: int | None = None) -> HttpResponse:
    """Tries the values of the form, saved or not."""
    stored = await aget_object_or_404(Provider.objects.exclude(source=ProviderSource.DEMO), pk=pk) if pk else None
    form = TrialForm(request.POST, instance=stored)
    found: dict[str, Any] = {"form": form}
    if await sync_to_async(form.is_valid)():
        try:
            found |= await _tried(form.endpoint())
        except SealBroken as failure:
            found |= _refused(failure)
    if request.htmx:
        return await sync_to_async(render)(request, "upstreams/_report.html", found)
    page = await sync_to_async(edit_page_of)(form, pk) if pk else {"presets": PRESETS.values()}
    return await sync_to_async(render)(request, "upstreams/provider_form.html", page | found)


@administrators_only
@require_POST
async def trial(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Tries a provider as it is stored."""
    provider = await aget_object_or_404(Provider, pk=pk)
    try:
        found = await _tried(provider.endpoint())
    except SealBroken as failure:
        found = _refused(failure)
    # The page around the report says it already.
    found.pop("doubt", None)
    if request.htmx:
        return await sync_to_async(render)(request, "upstreams/_report.html", found)
    page = await sync_to_async(page_of)(request, provider)
    return await sync_to_async(render)(request, "upstreams/provider.html", page | found)


@administrators_only
@require_POST
async def listing(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Asks the server for its models and stores them; the page shows what came of it."""
    provider = await aget_object_or_404(Provider, pk=pk)
    await refresh(provider)
    if not request.htmx:
        return redirect("provider", pk)
    context = await sync_to_async(models_of)(request, provider)
    return await sync_to_async(render)(request, "upstreams/_models.html", context)


async def _tried(endpoint: Endpoint) -> dict[str, Any]:
    report = await test_connection(endpoint)
    doubt = addresses.doubt(endpoint.protocol, endpoint.base_url)
    hint = "" if report.ok else f" {_HINTS.get(report.step, '')}"
    return {
        "report": report,
        "message": for_administrators(report.message) + hint,
        "ladder": _ladder(report, endpoint),
        "doubt": "" if report.models else doubt,
    }


def _refused(failure: SealBroken) -> dict[str, Any]:
    report = ConnectionReport(False, ConnectionStep.AUTHENTICATION, str(failure))
    return {"report": report, "message": report.message}


def _ladder(report: ConnectionReport, endpoint: Endpoint) -> list[tuple[str, str]]:
    """Each step towards a working connection, as "done", "failed" or "open"."""
    steps = [step for step in _LADDER if step is not ConnectionStep.TLS or endpoint.base_url.startswith("https:")]
    if not endpoint.key:
        steps.remove(ConnectionStep.AUTHENTICATION)
    if report.step not in steps:
        # Done; or a key is missing altogether, which no step of this ladder says.
        return [(_LADDER[step], "done") for step in steps] if report.ok else []
    reached = steps.index(report.step)
    return [
        (_LADDER[step], "done" if place < reached else "failed" if place == reached else "open")
        for place, step in enumerate(steps)
    ]
