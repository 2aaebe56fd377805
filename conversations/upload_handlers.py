"""Drops uploads while they arrive: all of them without sign-in, and those that are too large."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

MARGIN = 1_000_000
"""Bytes over the limit at which a file is dropped. The inspection enforces the exact limit."""


class UploadGuard(FileUploadHandler):
    """Runs before the handler that writes to disk. `list_dropped_files` names what it dropped."""

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


def list_dropped_files(request: HttpRequest) -> list[str]:
    """Returns the names of files that were dropped for their size."""
    request.FILES  # noqa: B018 (this reads the request)
    names: list[str] = request.META.get(TOO_LARGE, [])
    return names
