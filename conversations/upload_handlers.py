"""Files on their way in: whoever is not known sends none, and one that is too large is dropped as it comes."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

MARGIN = 1_000_000
"""Bytes over the limit after which the rest of a file is not kept any more; the inspection tells the exact limit."""


class Doorkeeper(FileUploadHandler):
    """Stands before the handler that writes to disk; what it turned away is in `turned_away`."""

    request: HttpRequest

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.length = 0
        if not self.request.user.is_authenticated:
            raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self.length += len(raw_data)
        if self.length > settings.ATTACHMENT_SIZE + MARGIN:
            self.request.META.setdefault(TOO_LARGE, []).append(self.file_name)
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


TOO_LARGE = "chatsite.too_large"


def turned_away(request: HttpRequest) -> list[str]:
    """The names of files that were dropped for their size while they came in."""
    request.FILES  # noqa: B018 (they are read when somebody asks for them)
    names: list[str] = request.META.get(TOO_LARGE, [])
    return names
