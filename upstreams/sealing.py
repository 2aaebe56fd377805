"""Seals secrets for the database with a key that is stored elsewhere."""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class SealBroken(Exception):
    """The secret was sealed with another SEALING_KEY or has been changed."""


@lru_cache(maxsize=1)
def _fernet(key: str) -> Fernet:
    # The setting may be any string, and Fernet needs 32 bytes in base64.
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))


def seal(secret: str) -> str:
    """Returns a Fernet token (ASCII), or "" for an empty secret."""
    return _fernet(settings.SEALING_KEY).encrypt(secret.encode()).decode() if secret else ""


def unseal(sealed: str) -> str:
    try:
        return _fernet(settings.SEALING_KEY).decrypt(sealed).decode() if sealed else ""
    except InvalidToken as error:
        raise SealBroken("The key was sealed with another SEALING_KEY. Enter it again.") from error
