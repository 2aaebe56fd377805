"""The button that sends a test message. Async, so that a slow mail server holds no thread."""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from accounts.models import AuthenticatedRequest
from chatsite.doctor.forms import TestMailForm
from chatsite.doctor.views.access import administrators_only
from chatsite.doctor.views.page import page_context
from chatsite.mail.sending import MailFault, send
from chatsite.process.threads import database_sync_to_async


@administrators_only
@require_POST
async def send_test(request: AuthenticatedRequest) -> HttpResponse:
    form = TestMailForm(request.POST)
    context: dict[str, Any] = {"mail_form": form}
    if form.is_valid():
        context["mail_recipient"] = form.cleaned_data["recipient"]
        context["mail_fault"] = await try_to_send(context["mail_recipient"])
    return await database_sync_to_async(respond)(request, context)


async def try_to_send(recipient: str) -> str:
    """Returns why the message was not sent, or ""."""
    text = "This is the test message that you asked for on the page “System” of chatsite. Mail works."
    try:
        await send(EmailMessage("Test message from chatsite", text, settings.DEFAULT_FROM_EMAIL, [recipient]))
    except MailFault as fault:
        return str(fault)
    return ""


def respond(request: AuthenticatedRequest, context: dict[str, Any]) -> HttpResponse:
    if request.htmx:
        return render(request, "doctor/_mail_report.html", context)
    return render(request, "doctor/system.html", page_context(request) | context)
