"""Adapts django-allauth: people sign in by username, nobody signs up, errors have our wording."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import sessions


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "Wrong username or password.",
        "too_many_login_attempts": "Too many failed attempts. Wait five minutes and try again, "
        "or ask an administrator for a new password.",
        "enter_current_password": "This is not your current password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Accepts addresses of this host only: another name in ALLOWED_HOSTS may be another site."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account")

    def logout(self, request: HttpRequest) -> None:
        user_pk = request.user.pk
        super().logout(request)
        if user_pk is not None:
            sessions.announce_session_end(user_pk)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth adds the Host header, and a client could change its port to reset the count.
        return str(credentials.get("username", "")).lower()
