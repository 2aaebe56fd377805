"""The page itself."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import AuthenticatedRequest
from chatsite.doctor.forms import TestMailForm
from chatsite.doctor.views.access import administrators_only
from chatsite.mail.sending import is_set_up


@administrators_only
@require_safe
def show(request: AuthenticatedRequest) -> HttpResponse:
    return render(request, "doctor/system.html", page_context(request))


def page_context(request: AuthenticatedRequest) -> dict[str, Any]:
    """The context of the page, also when an action without script renders it again."""
    return {
        "mail_is_set_up": is_set_up(),
        "mail_sender": settings.DEFAULT_FROM_EMAIL,
        "mail_form": TestMailForm(initial={"recipient": request.user.email}),
    }
