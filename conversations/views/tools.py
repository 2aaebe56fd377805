"""Allowing or refusing a tool call."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.models import AuthenticatedRequest
from conversations.access import message_or_404
from conversations.models import ToolApproval
from conversations.verbs import tool_decisions
from conversations.views.turns import address_of

ANSWERS = {
    "once": {"is_allowed": True},
    "always": {"is_allowed": True, "for_good": True},
    "refuse": {"is_allowed": False},
}


@require_POST
def decide(request: AuthenticatedRequest, pk: int, message_pk: int) -> HttpResponse:
    message = message_or_404(request, pk, message_pk)
    approvals = ToolApproval.objects.filter(generation__message=message).select_related("generation__message")
    approval = get_object_or_404(
        approvals.select_related("generation__conversation"), use_id=request.POST.get("call", "")
    )
    if approval.generation.asked_by_id != request.user.pk:
        raise PermissionDenied("Only the person who asked can allow tools for this answer.")
    answer = ANSWERS.get(request.POST.get("answer", ""))
    if answer is None:
        return HttpResponseBadRequest("The answer must be “once”, “always” or “refuse”.")
    tool_decisions.decide(approval, **answer)
    return HttpResponse(status=204) if request.htmx else redirect(address_of(message.conversation, message.branch))
