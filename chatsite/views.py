"""Pages that belong to no part of the site."""

import logging
import sys
from typing import Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.views import defaults

from chatsite.failures.faults import is_passing

RETRY_AFTER: Final = 2
"""Seconds after which to repeat a request that met a passing fault."""

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Names the limit that the request exceeds, if it does."""
    match exception:
        case TooManyFilesSent():
            words = f"A request can have at most {settings.DATA_UPLOAD_MAX_NUMBER_FILES} files. Send fewer at a time."
        case TooManyFieldsSent():
            words = f"A form can have at most {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS} fields."
        case RequestDataTooBig():
            words = "The form is too large."
        case _:
            words = ""
    return HttpResponse(render_to_string("400.html", {"words": words}), status=400)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answers a request whose view has raised an error: 503 if the database will be back soon, otherwise 500."""
    error = sys.exc_info()[1]
    return busy(request, error) if is_passing(error) else defaults.server_error(request)


def busy(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """Asks to try again. A page that sent the request by itself stays as it is and shows a toast."""
    # Django would log each one with a traceback: hundreds while the database is locked.
    logger.warning("%s %s: %s", request.method, request.path, error)
    is_partial = request.headers.get("HX-Request") == "true"
    response = HttpResponse(render_to_string("_busy_toast.html" if is_partial else "503.html"), status=503)
    response._has_been_logged = True  # type: ignore[attr-defined]
    response["Retry-After"] = str(RETRY_AFTER)
    if is_partial:
        response["HX-Retarget"], response["HX-Reswap"] = "#toasts", "beforeend"
    return response
