"""Refuses requests that no browser and no program of the site sends."""

import codecs

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin


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


def refuse(words: str, status: int) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
