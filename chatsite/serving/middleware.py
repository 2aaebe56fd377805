"""Refuses requests that no browser and no program of the site sends."""

import codecs

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from chatsite.faults import is_passing


class StorableTextMiddleware(MiddlewareMixin):
    """Refuses text that no database stores: NUL, and forms in other charsets than UTF-8.

    Some charsets decode to lone surrogates, and others fail where Django expects no error. Pages are in UTF-8, so
    browsers send their forms in it. NUL in a form is left to the form's fields.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if "\0" in request.path_info or "%00" in request.META["QUERY_STRING"]:
            return refuse("An address cannot contain NUL.", 400)
        if request.encoding and codecs.lookup(request.encoding).name != "utf-8":
            return refuse("Send forms as UTF-8.", 415)
        return None


class AdminLookupMiddleware(MiddlewareMixin):
    """Refuses filters and searches of the admin with values that no database can look up.

    The admin takes any lookup from the address, and Django checks the values of some only.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        match = request.resolver_match
        if not (match and match.app_name == "admin" and request.GET and is_about_values(exception)):
            return None
        return refuse("A value in this address is out of range or too long to look up. Change the filter.", 400)


def is_about_values(error: Exception) -> bool:
    """Whether a query failed because of its values. The database may refuse these with any of its errors."""
    is_refused = isinstance(error, DatabaseError) and not is_passing(error)
    return is_refused or isinstance(error, OverflowError | ValueError)


def refuse(words: str, status: int) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
