"""A session that ended while a page was open."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.deprecation import MiddlewareMixin

from accounts.forms import SignInForm


class SignInInPlaceMiddleware(MiddlewareMixin):
    """A request that htmx made and that would be sent to the sign-in page gets the form for a dialog instead (401).

    The page it came from stays as it is, with all that was typed in it.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        is_sent_away = response.status_code == 302 and response["Location"].startswith(resolve_url(settings.LOGIN_URL))
        if not is_sent_away or not request.headers.get("HX-Request"):
            return response
        return render(request, "accounts/sign_in_again.html", {"form": SignInForm()}, status=401)
