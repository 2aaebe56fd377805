"""Decides whether an answer may be asked for. Claiming an answer and each of its upstream calls require it."""

from accounts.models import User
from conversations.models import Generation
from upstreams.models import ModelOff

__all__ = ["AskerGone", "ModelOff", "require_permission"]


class AskerGone(Exception):
    """The account of the person who asked was deactivated or deleted. `str(error)` says so, and what others can do."""

    kind = "asker_gone"

    def __init__(self, person: User | None) -> None:
        what = f"{person}’s account was deactivated." if person else "The account of the person who asked was deleted."
        super().__init__(f"{what} Other members can retry.")


def require_permission(generation: Generation) -> None:
    """Raises AskerGone or ModelOff, by the database's present state. A generation needs a model for this."""
    if not User.objects.filter(pk=generation.asked_by_id or 0, is_active=True).exists():
        raise AskerGone(generation.asked_by)
    assert generation.chat_model is not None
    generation.chat_model.require_offered()
