"""Decides whether an answer may be asked for, and may go on."""

from accounts.models import User
from conversations.models import Generation
from upstreams.models import ModelOff

__all__ = ["AskerGone", "ModelOff", "Revoked", "require_claim", "require_permission"]


class AskerGone(Exception):
    """The person who asked can no longer ask or approve tools. `str(error)` says why, and what others can do."""

    kind = "asker_gone"

    def __init__(self, person: User | None) -> None:
        if person is None:
            reason = "The account of the person who asked was deleted."
        elif person.is_active:
            reason = f"{person}, who could allow the tool, is no longer in the conversation."
        else:
            reason = f"{person}’s account was deactivated."
        super().__init__(f"{reason} Other members can retry.")


class Revoked(Exception):
    """A person has stopped the answer, or another process has taken or ended it."""


def require_permission(generation: Generation) -> None:
    """Raises AskerGone or ModelOff, by the database's present state. A generation needs a model for this.

    Claiming an answer and each of its upstream calls require it.
    """
    asker = User.objects.filter(pk=generation.asked_by_id or 0).first()
    if asker is None or not asker.is_active:
        raise AskerGone(asker)
    assert generation.chat_model is not None
    generation.chat_model.require_offered()


def require_claim(generation: Generation) -> None:
    """Raises Revoked unless this process's claim is still valid. Each upstream call and each round of tools require it.

    Its process may have been asleep, or may not have learned of a stop yet.
    """
    if not Generation.objects.claimed_as(generation).filter(stop_asked_at=None).exists():
        raise Revoked
