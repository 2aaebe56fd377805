"""`{% sidebar %}`: the conversations and the menu of the signed-in person."""

from django import template
from django.template.context import RequestContext

from conversations.live.sidebar import load_page

register = template.Library()


@register.inclusion_tag("conversations/_sidebar.html", takes_context=True)
def sidebar(context: RequestContext) -> dict[str, object]:
    request = context["request"]
    return {
        "page": load_page(request.user, request.GET.get("after", "")),
        "current": context.get("conversation"),
        "user": request.user,
        "perms": context.get("perms"),
        "csrf_token": context.get("csrf_token"),
        "request": request,
        "theme": context.get("theme"),
    }
