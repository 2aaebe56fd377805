"""Where attached files are stored: in a folder, or in an S3-compatible store (UPLOADS_URL)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from chatsite.installation.packages import require
from chatsite.installation.urls import split_url

SCHEMES: Final = {"s3": "https", "s3+http": "http"}
FORMS: Final = (
    "Use file:///a/folder, s3://access-key:secret@host/bucket?region=name, or s3+http:// for a store without TLS."
)


def read_uploads_url(url: str, default: Path) -> tuple[dict[str, Any], Path]:
    """Returns Django's storage for UPLOADS_URL and its folder, which is `default` unless the URL names another one.

    Raises ImproperlyConfigured. The message contains no part of the URL.
    """
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    if not url:
        return files, default
    scheme = urlsplit(url.partition(":")[0] + ":").scheme
    if scheme == "file":
        path = Path(unquote(url.partition("://")[2]))
        if not path.is_absolute():
            raise ImproperlyConfigured(f"UPLOADS_URL has no form that chatsite knows. {FORMS}")
        return files, path
    if scheme not in SCHEMES:
        raise ImproperlyConfigured(f"UPLOADS_URL has no form that chatsite knows. {FORMS}")
    options = read_store(split_url("UPLOADS_URL", url))
    require("UPLOADS_URL", "storages", "boto3")
    return {"BACKEND": "chatsite.installation.object_store.ObjectStore", "OPTIONS": options}, default


def read_store(parts: SplitResult) -> dict[str, Any]:
    """Returns the options of the storage."""
    query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    bucket, _, prefix = unquote(parts.path).strip("/").partition("/")
    if not (parts.hostname and bucket) or {*query} - {"region"}:
        raise ImproperlyConfigured(f"UPLOADS_URL has no form that chatsite knows. {FORMS}")
    if not (parts.username and parts.password):
        # Without, boto3 would look for keys elsewhere: on other servers, and in files of the user.
        raise ImproperlyConfigured(f"UPLOADS_URL has no access key or no secret. {FORMS}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return {
        "endpoint_url": f"{SCHEMES[parts.scheme]}://{host}" + (f":{parts.port}" if parts.port else ""),
        "access_key": unquote(parts.username),
        "secret_key": unquote(parts.password),
        "bucket_name": bucket,
        "location": prefix,
        "region_name": query.get("region", "us-east-1"),
    }


def is_remote(storage: Mapping[str, Any]) -> bool:
    """Whether the files are in a store and not in a folder."""
    return "OPTIONS" in storage
