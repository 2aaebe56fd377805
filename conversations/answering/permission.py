"""Decides whether an answer may be asked for. Claiming an answer and each of its upstream calls require it."""

from accounts.models import User
from conversations.models import Generation
from upstreams.models import ModelOff

__all__ = ["AskerGone", "ModelOff", "require_permission"]


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


def require_permission(generation: Generation) -> None:
    """Raises AskerGone or ModelOff, by the database's present state. A generation needs a model for this."""
    asker = User.objects.filter(pk=generation.asked_by_id or 0).first()
    if asker is None or not asker.is_active:
        raise AskerGone(asker)
    assert generation.chat_model is not None
    generation.chat_model.require_offered()
