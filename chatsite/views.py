"""Pages that belong to no part of the site."""

import logging
import sys
from typing import Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.log import log_response

from chatsite.failures.faults import is_passing
from chatsite.logs.exceptions import read_first_line
from chatsite.logs.request_ids import get_request_id
from chatsite.serving import internal_errors

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
    return HttpResponse(render_to_string("400.html", {"words": words, "reference": get_request_id()}), status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answers a request whose view has raised an error: 503 if the database will be back soon, otherwise 500."""
    error = sys.exc_info()[1]
    if is_passing(error):
        return busy(request, error)
    if is_partial(request):
        response = answer_with_toast("_error_toast.html", 500)
    else:
        response = HttpResponse(internal_errors.render_page(), status=500)
    # Django would log the errors of error pages without their traceback.
    log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request, exception=error)
    return response


def busy(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """Asks to try again."""
    # Django would log each one with a traceback: hundreds while the database is locked.
    logger.warning("%s %s: %s", request.method, request.path, read_first_line(error) if error else "")
    if is_partial(request):
        response = answer_with_toast("_busy_toast.html", 503)
    else:
        response = HttpResponse(render_to_string("503.html", {"reference": get_request_id()}), status=503)
    response._has_been_logged = True  # type: ignore[attr-defined]
    response["Retry-After"] = str(RETRY_AFTER)
    return response


def is_partial(request: HttpRequest) -> bool:
    """Whether a page has sent the request by itself, and has to stay as it is."""
    return request.headers.get("HX-Request") == "true"


def answer_with_toast(template: str, status: int) -> HttpResponse:
    response = HttpResponse(render_to_string(template, {"reference": get_request_id()}), status=status)
    response["HX-Retarget"], response["HX-Reswap"] = "#toasts", "beforeend"
    return response
