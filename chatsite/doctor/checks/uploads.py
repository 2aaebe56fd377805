"""The place of attached files."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from chatsite.doctor.checks.settings import is_local
from chatsite.doctor.findings import Diagnosis, broken, look_at, ok, split
from chatsite.failures.faults import UploadsUnavailable
from chatsite.installation.uploads import is_remote
from chatsite.installation.uploads_check import try_uploads


def check_place() -> Iterator[Diagnosis]:
    """Stores, lists, reads and deletes a file, if UPLOADS_URL is set."""
    try:
        try_uploads()
    except UploadsUnavailable as fault:
        words, advice = split(str(fault))
        yield broken(words, advice or "Correct UPLOADS_URL, or the rights of its access key.")
        return
    place = "an S3-compatible store" if is_remote(settings.STORAGES["default"]) else settings.MEDIA_ROOT
    yield ok(f"Attached files are in {place}.")


def check_encryption() -> Iterator[Diagnosis]:
    address = urlsplit(settings.STORAGES["default"].get("OPTIONS", {}).get("endpoint_url", ""))
    if address.scheme == "http" and not is_local(address.hostname or ""):
        yield look_at(
            "Attached files cross the network unencrypted.",
            "Begin UPLOADS_URL with s3://, unless you trust the network between the site and the store.",
        )
