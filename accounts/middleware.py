"""Signs people in again without leaving the page."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.deprecation import MiddlewareMixin

from accounts.forms import SignInForm


class SignInInPlaceMiddleware(MiddlewareMixin):
    """Answers an htmx request of a signed-out person with a sign-in dialog (401) instead of a redirect.

    The page stays as it is, and so does the text typed on it.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        is_redirected = response.status_code == 302 and response["Location"].startswith(resolve_url(settings.LOGIN_URL))
        if not is_redirected or not request.headers.get("HX-Request"):
            return response
        return render(request, "accounts/sign_in_again.html", {"form": SignInForm()}, status=401)
