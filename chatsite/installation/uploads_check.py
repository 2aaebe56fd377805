"""Tries whether attached files can be stored where UPLOADS_URL says."""

import logging
from pathlib import Path
from secrets import token_hex
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from chatsite.failures.faults import UploadsRefused, UploadsUnavailable
from chatsite.installation.uploads import is_remote

FOLDER: Final = "attachments/00"
"""What a killed process leaves here is removed with other files that nobody knows."""
CONTENT: Final = b"chatsite"

logger = logging.getLogger(__name__)


def check_uploads() -> None:
    """Raises ImproperlyConfigured or OSError if a setting is wrong. Only warns if the store does not answer now."""
    try:
        try_uploads()
    except UploadsRefused:
        raise
    except UploadsUnavailable as fault:
        logger.warning("%s Until then, files can neither be attached nor read.", fault)


def try_uploads() -> None:
    """Stores, lists, reads and deletes a file, if UPLOADS_URL is set. Raises ImproperlyConfigured or OSError."""
    folder = Path(settings.MEDIA_ROOT)
    if not is_remote(settings.STORAGES["default"]):
        if folder == settings.DATA_DIR / "uploads":
            return
        if not folder.is_dir():
            raise ImproperlyConfigured(f"The folder of UPLOADS_URL, {folder}, does not exist. Create it, or mount it.")
    store_and_delete()


def store_and_delete() -> None:
    name = default_storage.save(f"{FOLDER}/{token_hex(16)}", ContentFile(CONTENT))
    try:
        with default_storage.open(name) as file:
            is_whole = file.read() == CONTENT
        is_listed = name.rpartition("/")[2] in default_storage.listdir(FOLDER)[1]
    finally:
        default_storage.delete(name)
    if not (is_whole and is_listed):
        raise ImproperlyConfigured("What is stored at UPLOADS_URL cannot be read or listed there.")
