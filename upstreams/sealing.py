"""Seals secrets for the database with a key that is stored elsewhere."""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SealBroken(Exception):
    """The secret was sealed with another SEALING_KEY or has been changed."""


def seal(secret: str) -> str:
    """Returns a Fernet token (ASCII), or "" for an empty secret."""
    return _fernet(settings.SEALING_KEY).encrypt(secret.encode()).decode() if secret else ""


def unseal(sealed: str) -> str:
    """Also opens what was sealed with one of SEALING_KEY_FALLBACKS."""
    try:
        return _fernet(settings.SEALING_KEY, *settings.SEALING_KEY_FALLBACKS).decrypt(sealed).decode() if sealed else ""
    except InvalidToken as error:
        raise SealBroken("The key was sealed with another SEALING_KEY. Enter it again.") from error


def can_unseal(sealed: str) -> bool:
    try:
        unseal(sealed)
    except SealBroken:
        return False
    return True


def reseal(sealed: str) -> str:
    """Seals with SEALING_KEY what a fallback sealed. Returns anything else as it is."""
    try:
        _fernet(settings.SEALING_KEY).decrypt(sealed)
    except InvalidToken:
        return seal(unseal(sealed)) if can_unseal(sealed) else sealed
    return sealed


@lru_cache(maxsize=4)
def _fernet(*keys: str) -> MultiFernet:
    # The setting may be any string, and Fernet needs 32 bytes in base64.
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])
