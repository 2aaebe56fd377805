"""The theme of the pages in one browser: light, dark, or that of the system. A cookie keeps it, also signed out."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

COOKIE: Final = "theme"
THEMES: Final = ("light", "dark")
"""Without a cookie, pages follow the system."""
A_YEAR: Final = 365 * 24 * 3600


def theme(request: HttpRequest) -> dict[str, str]:
    """The context processor. The server writes the theme into the page, so that no other one flashes up first."""
    kept = request.COOKIES.get(COOKIE, "")
    return {"theme": kept if kept in THEMES else ""}


def keep_theme(response: HttpResponse, chosen: str) -> None:
    if chosen in THEMES:
        response.set_cookie(
            COOKIE, chosen, max_age=A_YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(COOKIE)
