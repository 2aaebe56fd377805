"""Adapts django-allauth: people sign in by username, nobody signs up, errors have our wording."""

from ipaddress import ip_address
from math import ceil
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import sessions, throttling

NO_ADDRESS: Final = "::"
"""Stands for all clients of a server that knows no addresses, such as one behind a Unix socket."""
THROTTLED: Final = "throttled"
"""The code of the error after too many wrong passwords."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "Wrong username or password.",
        "enter_current_password": "This is not your current password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Accepts addresses of this host only: another name in ALLOWED_HOSTS may be another site."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Takes the address of the proxy itself if the proxy does not say whose request it passes on."""
        try:
            return str(super().get_client_ip(request))
        except PermissionDenied:
            pass
        try:
            return str(ip_address(request.META.get("REMOTE_ADDR", "")))
        except ValueError:
            return NO_ADDRESS

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account")

    def logout(self, request: HttpRequest) -> None:
        user_pk = request.user.pk
        super().logout(request)
        if user_pk is not None:
            sessions.announce_session_end(user_pk)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Raises a ValidationError, with the seconds to wait, after too many wrong passwords."""
        attempt = throttling.SignInAttempt(request, credentials["username"])
        if wait := attempt.begin():
            raise ValidationError(
                f"Too many failed attempts. Try again in {throttling.describe_wait(wait)}, "
                "or ask an administrator for a new password.",
                code=THROTTLED,
                params={"seconds": ceil(wait.total_seconds())},
            )
        person = super().authenticate(request, **credentials)
        if person:
            attempt.succeed()
        return person
