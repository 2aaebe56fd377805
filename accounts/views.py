"""Signing in, the first administrator, and a person's own account."""

from typing import Any

from allauth.account.views import LoginView, PasswordChangeView
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from accounts import sessions, set_up, theme, throttling
from accounts.adapter import THROTTLED
from accounts.forms import PasswordChangeForm, SetUpForm, SignInForm
from accounts.models import AuthenticatedRequest
from chatsite.logs.request_ids import get_request_id


def render_invalid(view: Any, form: Form) -> HttpResponse:
    """Shows the form with its errors: 429 after too many wrong passwords, otherwise 422."""
    answer: HttpResponse = view.render_to_response(view.get_context_data(form=form), status=422)
    errors = [error for errors in form.errors.as_data().values() for error in errors]
    if throttled := next((error for error in errors if error.code == THROTTLED), None):
        answer.status_code = 429
        answer["Retry-After"] = str((throttled.params or {})["seconds"])
    return answer


class SignIn(LoginView):  # type: ignore[misc]
    def form_valid(self, form: SignInForm) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        throttling.remember_place(self.request, answer, form.user)
        return answer

    def form_invalid(self, form: SignInForm) -> HttpResponse:
        return render_invalid(self, form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"not_set_up": set_up.is_needed()}

    def get_template_names(self) -> list[str]:
        return ["accounts/_sign_in_again.html" if self.request.htmx else "account/login.html"]


@require_safe
def signed_in_again(request: AuthenticatedRequest) -> HttpResponse:
    """Gives a page that signed in by dialog the new session's token, which its forms need."""
    return trigger_client_event(HttpResponse(), "session:renewed", {"token": get_token(request)})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuses a form with an old token or none, and sends the new token: an open page can try again with it.

    The headers also name the person, who may have changed. Only pages of this site can read them.
    """
    answer = render(request, "403_csrf.html", {"reference": get_request_id()}, status=403)
    answer["X-CSRFToken"] = get_token(request)
    answer["X-Person"] = str(request.user.pk or "")
    return answer


class PasswordChange(PasswordChangeView):  # type: ignore[misc]
    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        sessions.announce_session_end(self.request.user.pk)
        return answer

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        return render_invalid(self, form)


@require_POST
def choose_theme(request: AuthenticatedRequest) -> HttpResponse:
    """Keeps the theme for this browser: "light", "dark", or anything else for that of the system."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, None):
        back = "/"
    answer = HttpResponse(status=204) if request.htmx else HttpResponseRedirect(back)
    theme.keep_theme(answer, request.POST.get("theme", ""))
    return answer


@require_safe
def account(request: AuthenticatedRequest) -> HttpResponse:
    return render(request, "accounts/account.html")


@require_POST
def save_shortcuts(request: AuthenticatedRequest) -> HttpResponse:
    """Saves whether the person uses single-key shortcuts."""
    request.user.uses_single_keys = request.POST.get("single_keys") == "on"
    request.user.save(update_fields=["uses_single_keys"])
    return HttpResponse(status=204)


@login_not_required
@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def first_administrator(request: HttpRequest, token: str) -> HttpResponse:
    if not set_up.is_valid_token(token):
        raise Http404
    form = SetUpForm(request.POST or None)
    if not form.is_valid():
        answer = render(request, "accounts/set_up.html", {"form": form}, status=422 if form.is_bound else 200)
        # The address is a secret, so no page may receive it as a referrer.
        answer["Referrer-Policy"] = "strict-origin"
        return answer
    administrator = form.save(commit=False)
    if not set_up.save_first_administrator(administrator):
        raise Http404
    login(request, administrator)
    answer = redirect("/")
    throttling.remember_place(request, answer, administrator)
    return answer
