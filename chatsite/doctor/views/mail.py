"""The button that sends a test message. Async, so that a slow mail server holds no thread."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from accounts.models import AuthenticatedRequest
from chatsite.doctor.forms import TestMailForm
from chatsite.doctor.trials import try_mail
from chatsite.doctor.views.access import administrators_only
from chatsite.doctor.views.page import render_page
from chatsite.process.threads import database_sync_to_async


@administrators_only
@require_POST
async def send_test(request: AuthenticatedRequest) -> HttpResponse:
    form = TestMailForm(request.POST)
    context: dict[str, Any] = {"mail_form": form}
    if form.is_valid():
        [context["mail_finding"]] = (await try_mail(form.cleaned_data["recipient"])).findings
    if request.htmx:
        return await database_sync_to_async(render)(request, "doctor/_mail_report.html", context)
    return await render_page(request, context)
