"""Pages that belong to no part of the site."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers; for load balancers and supervisors, without signing in."""
    return HttpResponse("ok\n", content_type="text/plain")
