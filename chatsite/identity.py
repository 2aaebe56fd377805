"""Finds out who sends a request from its headers alone, before its body arrives."""

import hmac
from collections.abc import Mapping
from importlib import import_module
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from accounts.keys import ApiKey, digest_of, is_secret, read_secret
from chatsite.process.threads import database_sync_to_async
from upstreams.catalogue.environment import demo_key

THE_SITE: Final = 0
"""In place of a person's key: this site, which asks its own demo upstream."""


@database_sync_to_async
def identify(headers: Mapping[str, str]) -> int | None:
    """Returns the key of the active person whose API key or session the headers carry, if it is valid."""
    secret = read_secret(headers)
    if secret and hmac.compare_digest(secret.encode(), demo_key().encode()):
        return THE_SITE
    if is_secret(secret):
        key = ApiKey.objects.select_related("person").filter(digest=digest_of(secret)).first()
        return key.person_id if key and key.is_valid else None
    request = HttpRequest()
    request.COOKIES = parse_cookie(headers.get("cookie", ""))
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    person = get_user(request)
    return person.pk if person.is_authenticated and person.is_active else None
