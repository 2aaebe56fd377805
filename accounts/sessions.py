"""Checks whether a session is still valid, and announces that sessions may have ended."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare

from accounts.models import User

Listener = Callable[[int], None]
_listeners: list[Listener] = []


def find_person(session_key: str | None) -> User | None:
    """Returns the person whom the session signs in. Takes two queries.

    Returns None once the session has ended or expired, the account is deactivated or deleted, or the password has
    changed.
    """
    session = _load_session(session_key)
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
    return user if user and _has_valid_hash(user, session.get(HASH_SESSION_KEY, "")) else None


def is_session_alive(user_pk: int, session_key: str | None) -> bool:
    """Whether the session still signs this person in."""
    person = find_person(session_key)
    return person is not None and person.pk == user_pk


def on_session_end(listener: Listener) -> None:
    """Calls `listener` with a person's pk whenever some of their sessions may have ended.

    The call is made after the commit, in the thread and process of the request that ended them. `is_session_alive`
    tells which sessions ended. Expiry and management commands are not announced: check at intervals, too.
    """
    _listeners.append(listener)


def announce_session_end(user_pk: int) -> None:
    for listener in _listeners:
        listener(user_pk)


def _load_session(key: str | None) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def _has_valid_hash(user: User, session_hash: str) -> bool:
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(session_hash, each) for each in hashes)
