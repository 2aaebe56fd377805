"""The page itself, and what it learns from the browser."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import AuthenticatedRequest
from chatsite.doctor.checks import proxy
from chatsite.doctor.examination import MODEL_SERVERS, Report, count_levels, examine, sort
from chatsite.doctor.findings import broken, ok
from chatsite.doctor.forms import TestMailForm
from chatsite.doctor.views.access import administrators_only
from chatsite.installation.version import read_version
from chatsite.mail.sending import is_set_up
from chatsite.process.threads import database_sync_to_async
from upstreams.models import Provider, ProviderSource


@administrators_only
@require_safe
async def show(request: AuthenticatedRequest) -> HttpResponse:
    return await render_page(request, {})


async def render_page(request: AuthenticatedRequest, context: dict[str, Any]) -> HttpResponse:
    """Renders the page, also when an action without script does so again with its own `context`."""
    reports = sort([*await examine(), Report("Proxy", list(proxy.check_request(request)))])
    return await database_sync_to_async(render_reports)(request, reports, context)


def render_reports(request: AuthenticatedRequest, reports: list[Report], context: dict[str, Any]) -> HttpResponse:
    providers = Provider.objects.filter(is_enabled=True).exclude(source=ProviderSource.DEMO).order_by("name")
    if not request.user.has_perm("upstreams.change_provider"):
        # Errors of a model server may contain its address.
        reports = [report for report in reports if report.topic != MODEL_SERVERS]
        providers = providers.none()
    page = {
        "version": read_version(),
        "reports": reports,
        "levels": count_levels(reports),
        "headers": proxy.list_headers(request),
        "providers": providers,
        "mail_is_set_up": is_set_up(),
        "mail_form": TestMailForm(initial={"recipient": request.user.email}),
    }
    return render(request, "doctor/system.html", page | context)


@administrators_only
@require_safe
def report_socket(request: AuthenticatedRequest) -> HttpResponse:
    """Explains what became of the WebSocket that the page has opened: `outcome` is works, silent or failed."""
    match request.GET.get("outcome"):
        case "works":
            finding = ok("A WebSocket opens, and its messages arrive.")
        case "silent":
            finding = broken(
                "A WebSocket opens, and nothing arrives through it.",
                "Let the proxy pass answers on at once, without a buffer. docs/nginx.conf shows how.",
            )
        case _:
            finding = proxy.check_socket(request, request.GET.get("origin", "")[:300])
    return render(request, "doctor/_finding.html", {"finding": finding})
