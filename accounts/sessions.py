"""Whether a session still stands, and telling those who hold a connection open on it that it may have ended."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare

from accounts.models import User

Listener = Callable[[int], None]
_listeners: list[Listener] = []


def session_is_alive(user_pk: int, session_key: str | None) -> bool:
    """Is this person still signed in by this session? Two queries: the session, then the person.

    False once the session was ended or has expired, the account is deactivated or gone, or its password has changed.
    """
    session = _session(session_key)
    if session.get(SESSION_KEY) != str(user_pk):
        return False
    user = User.objects.only("password", "is_active").filter(pk=user_pk, is_active=True).first()
    return user is not None and _vouches_for(user, session.get(HASH_SESSION_KEY, ""))


def on_end(listener: Listener) -> None:
    """Has `listener` called with a person's pk whenever some of their sessions may have ended.

    It is called in the thread and process of the request that ended them, after the commit. Ask `session_is_alive`
    which ones did. What happens elsewhere (expiry, a management command) is not announced: ask now and then, too.
    """
    _listeners.append(listener)


def announce_end(user_pk: int) -> None:
    for listener in _listeners:
        listener(user_pk)


def _session(key: str | None) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def _vouches_for(user: User, session_hash: str) -> bool:
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(session_hash, each) for each in hashes)
