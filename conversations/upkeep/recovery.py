"""Ends replies that a crash left running, and finds queued ones."""

from datetime import datetime

from django.db import transaction
from django.utils.timezone import now

from conversations.answering import replies
from conversations.answering.upstream_call import settle_lost_call
from conversations.live import broadcasts
from conversations.models import Generation, State


def recover(quiet_since: datetime | None = None) -> list[int]:
    """Marks replies that no process writes any more as interrupted. Their text is kept.

    When the site starts, these are all running replies. Later, `quiet_since` limits them to those that were last saved
    before it. Returns the keys of the queued generations that can start.
    """
    running_here = [reply.generation.pk for reply in replies.local.running()]
    running = Generation.objects.filter(state=State.RUNNING).exclude(pk__in=running_here)
    if quiet_since is not None:
        running = running.filter(heartbeat_at__lt=quiet_since)
    for generation in running.select_related("message__conversation"):
        if interrupt(generation):
            settle_lost_call(generation)
            broadcasts.announce_revision(generation.message.conversation)
            broadcasts.refresh_row(generation.message.conversation)
    return list(Generation.objects.next_in_line().values_list("pk", flat=True))


@transaction.atomic
def interrupt(generation: Generation) -> bool:
    """Returns False if the generation has ended in the meantime."""
    running = Generation.objects.filter(pk=generation.pk, state=State.RUNNING)
    if not running.update(state=State.INTERRUPTED, finished_at=now()):
        return False
    generation.message.mark_changed()
    return True
