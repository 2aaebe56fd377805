"""Ends replies that a lost process left running, and finds queued ones."""

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from chatsite.process import lease
from conversations.answering import replies
from conversations.answering.ending import ENDED
from conversations.answering.queue import list_waiting
from conversations.answering.upstream_call import settle_lost_call
from conversations.live import broadcasts
from conversations.models import Generation, State


def recover() -> list[int]:
    """Marks replies that no process writes any more as interrupted. Their text is kept.

    Returns the keys of the queued generations that can start.
    """
    not_elsewhere = Generation.objects.running().filter(lease.is_abandoned() | Q(process=lease.local.key))
    for generation in not_elsewhere.select_related("message__conversation"):
        if not replies.local.is_writing(generation.pk) and interrupt(generation):
            broadcasts.announce_revision(generation.message.conversation)
            broadcasts.refresh_row(generation.message.conversation)
    return list_waiting()


@transaction.atomic
def interrupt(generation: Generation) -> bool:
    """Ends the generation and its call. Returns False if it has ended or has been claimed again in the meantime."""
    if not Generation.objects.claimed_as(generation).update(state=State.INTERRUPTED, finished_at=now()):
        return False
    transaction.on_commit(ENDED.labels(str(State.INTERRUPTED)).inc)
    settle_lost_call(generation)
    generation.message.mark_changed()
    return True
