"""Compares SECRET_KEY and SEALING_KEY with those that the database has been used with.

The database keeps a fingerprint of each: an HMAC, from which nobody can compute the key. With another SEALING_KEY, the
keys of providers and the headers of tool servers cannot be read, and new ones would be sealed with a key that others
do not have. With another SECRET_KEY, sessions end, and two processes hear nothing of each other.
"""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from chatsite.installation.data_lock import is_data_locked
from chatsite.models import KeyFingerprint
from chatsite.process import lease
from tools.models import ToolServer
from upstreams.models import Provider, ProviderSource
from upstreams.sealing import can_unseal, reseal

SECRET, SEALING = KEYS = ("SECRET_KEY", "SEALING_KEY")

IN_USE: Final = (
    "Other processes use this database with another {}. Set the same SECRET_KEY and SEALING_KEY for all processes. "
    "To change one, stop all processes first."
)
NOT_OURS: Final = (
    "{} differs from the one that this database was last used with. Set the same SECRET_KEY and SEALING_KEY for all "
    "processes. If you changed it on purpose, stop all processes, run `python manage.py prepare`, and start again."
)
UNREADABLE: Final = (
    "SEALING_KEY is not the key that sealed the providers' keys and the tool servers' headers in this database. Set it "
    "as before; if it was generated, it is in the file sealing_key of DATA_DIR and in backups. To change it, set the "
    "previous one in SEALING_KEY_FALLBACKS. If the previous one is lost, run `python manage.py prepare "
    "--accept-sealing-key`, and enter those keys and headers again."
)
SIGNED_OUT: Final = "SECRET_KEY has changed, so everybody has to sign in again."
RESEALED: Final = "Sealed the providers' keys and the tool servers' headers with the new SEALING_KEY."


def adopt_keys(*, accepts_sealing_key: bool = False) -> list[str]:
    """Records the keys of this process at its start. Returns sentences about what has changed.

    Raises ImproperlyConfigured if other processes use other keys, or if the database was sealed with another one and
    `accepts_sealing_key` is false.
    """
    changed = find_changed_keys()
    # On SQLite, no process beats, because the lock keeps others away.
    if changed and (is_data_locked() or lease.is_in_use()):
        raise ImproperlyConfigured(IN_USE.format(changed[0]))
    if is_unreadable() and not accepts_sealing_key:
        raise ImproperlyConfigured(UNREADABLE)
    is_signed_out = SECRET in changed and not is_known_fallback(SECRET)
    with transaction.atomic():
        has_resealed = bool(settings.SEALING_KEY_FALLBACKS) and reseal_all()
        for setting in KEYS:
            digest = compute_fingerprint(setting, getattr(settings, setting))
            KeyFingerprint.objects.update_or_create(setting=setting, defaults={"digest": digest})
    return [SIGNED_OUT] * is_signed_out + [RESEALED] * has_resealed


def require_adopted_keys() -> None:
    """Raises ImproperlyConfigured if the keys are not those that the last `adopt_keys` has recorded."""
    if changed := find_changed_keys():
        raise ImproperlyConfigured(NOT_OURS.format(changed[0]))


def find_changed_keys() -> list[str]:
    """The settings whose fingerprint is known and another one."""
    known = read_fingerprints()
    return [
        setting
        for setting in KEYS
        if setting in known and known[setting] != compute_fingerprint(setting, getattr(settings, setting))
    ]


def is_unreadable() -> bool:
    """Whether this process cannot read what the database has been sealed with.

    Some secrets may be unreadable for long, and need not be read any more. Before the first fingerprint, one that can
    be read shows that the key is right.
    """
    if SEALING in find_changed_keys():
        return not is_known_fallback(SEALING) and not all(map(can_unseal, list_sealed()))
    return SEALING not in read_fingerprints() and any(list_sealed()) and not any(map(can_unseal, list_sealed()))


def is_known_fallback(setting: str) -> bool:
    """Whether the database was last used with one of the setting's fallbacks."""
    known = read_fingerprints().get(setting)
    return known in [compute_fingerprint(setting, key) for key in getattr(settings, f"{setting}_FALLBACKS")]


def read_fingerprints() -> dict[str, str]:
    return dict(KeyFingerprint.objects.values_list("setting", "digest"))


def compute_fingerprint(setting: str, key: str) -> str:
    return hmac.new(key.encode(), f"chatsite fingerprint of {setting}".encode(), hashlib.sha256).hexdigest()


def list_sealed() -> Iterator[str]:
    """Yields the sealed secrets that only a person can enter again: a start seals all others anew."""
    yield from (
        Provider.objects.filter(source=ProviderSource.PERSON)
        .exclude(sealed_key="")
        .values_list("sealed_key", flat=True)
    )
    for headers in ToolServer.objects.values_list("sealed_headers", flat=True):
        yield from headers.values()


def reseal_all() -> bool:
    """Seals with SEALING_KEY what was sealed with one of its fallbacks. Returns whether there was anything."""
    has_resealed = False
    for provider in Provider.objects.select_for_update().exclude(sealed_key=""):
        if (sealed := reseal(provider.sealed_key)) != provider.sealed_key:
            provider.sealed_key, has_resealed = sealed, True
            provider.save(update_fields=["sealed_key"])
    for server in ToolServer.objects.select_for_update():
        headers = {name: reseal(sealed) for name, sealed in server.sealed_headers.items()}
        if headers != server.sealed_headers:
            server.sealed_headers, has_resealed = headers, True
            server.save(update_fields=["sealed_headers"])
    return has_resealed
