"""Views that wait for an upstream: connection tests and listings of models. Being async, they occupy no thread."""

from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.models import AuthenticatedRequest
from chatsite.process.threads import database_sync_to_async
from upstreams import addresses
from upstreams.catalogue.listing import refresh
from upstreams.catalogue.presets import PRESETS
from upstreams.client import ConnectionReport, ConnectionStep, test_connection
from upstreams.endpoint import Endpoint
from upstreams.forms import TrialForm
from upstreams.models import Provider, ProviderSource
from upstreams.sealing import SealBroken
from upstreams.views.access import administrators_only
from upstreams.views.providers import edit_context, page_context, table_context

_STEPS: Final = {
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
async def test_form(request: AuthenticatedRequest, pk: int | None = None) -> HttpResponse:
    """Tests the values in the form without saving them."""
    providers = Provider.objects.exclude(source=ProviderSource.DEMO)
    stored = await database_sync_to_async(get_object_or_404)(providers, pk=pk) if pk else None
    form = TrialForm(request.POST, instance=stored)
    found: dict[str, Any] = {"form": form}
    if await database_sync_to_async(form.is_valid)():
        try:
            found |= await _run_test(form.build_endpoint())
        except SealBroken as failure:
            found |= _report_broken_seal(failure)
    if request.htmx:
        return await database_sync_to_async(render)(request, "upstreams/_report.html", found)
    page = await database_sync_to_async(edit_context)(form, pk) if pk else {"presets": PRESETS.values()}
    return await database_sync_to_async(render)(request, "upstreams/provider_form.html", page | found)


@administrators_only
@require_POST
async def test_provider(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Tests a provider with its stored settings."""
    provider = await database_sync_to_async(get_object_or_404)(Provider, pk=pk)
    try:
        found = await _run_test(provider.build_endpoint())
    except SealBroken as failure:
        found = _report_broken_seal(failure)
    # The page around the report shows it already.
    found.pop("doubt", None)
    if request.htmx:
        return await database_sync_to_async(render)(request, "upstreams/_report.html", found)
    page = await database_sync_to_async(page_context)(request, provider)
    return await database_sync_to_async(render)(request, "upstreams/provider.html", page | found)


@administrators_only
@require_POST
async def refresh_models(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Lists the server's models, stores them and shows the result."""
    provider = await database_sync_to_async(get_object_or_404)(Provider, pk=pk)
    await refresh(provider)
    if not request.htmx:
        return redirect("provider", pk)
    context = await database_sync_to_async(table_context)(request, provider)
    return await database_sync_to_async(render)(request, "upstreams/_models.html", context)


async def _run_test(endpoint: Endpoint) -> dict[str, Any]:
    report = await test_connection(endpoint)
    doubt = addresses.find_doubt(endpoint.protocol, endpoint.base_url)
    hint = "" if report.ok else f" {_HINTS.get(report.step, '')}"
    return {
        "report": report,
        "message": report.message + hint,
        "ladder": _list_steps(report, endpoint),
        "doubt": "" if report.models else doubt,
    }


def _report_broken_seal(failure: SealBroken) -> dict[str, Any]:
    report = ConnectionReport(False, ConnectionStep.AUTHENTICATION, str(failure))
    return {"report": report, "message": report.message}


def _list_steps(report: ConnectionReport, endpoint: Endpoint) -> list[tuple[str, str]]:
    """The steps of the test, each with its state: "done", "failed" or "open"."""
    steps = [step for step in _STEPS if step is not ConnectionStep.TLS or endpoint.base_url.startswith("https:")]
    if not endpoint.key:
        steps.remove(ConnectionStep.AUTHENTICATION)
    if report.step not in steps:
        # Either all steps are done, or a key is missing, for which there is no step.
        return [(_STEPS[step], "done") for step in steps] if report.ok else []
    reached = steps.index(report.step)
    return [
        (_STEPS[step], "done" if position < reached else "failed" if position == reached else "open")
        for position, step in enumerate(steps)
    ]
