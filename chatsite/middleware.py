"""Refuses requests that no browser and no program of the site sends."""

import codecs

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin


class Utf8FormsMiddleware(MiddlewareMixin):
    """Refuses forms in another charset than UTF-8, which can decode to text that no database stores.

    Pages are in UTF-8, so browsers send their forms in it.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if request.encoding and codecs.lookup(request.encoding).name != "utf-8":
            return HttpResponse("Send forms as UTF-8.\n", status=415, content_type="text/plain")
        return None
