"""Letting people into a conversation, and out of it."""

from accounts.models import User
from conversations.live import broadcasts
from conversations.live.sidebar import SidebarRow
from conversations.models import Conversation, Participant


def add(conversation: Conversation, name: str) -> str:
    """Adds who has this username, or alone has this name. Returns "" or, for people, why it could not be done."""
    name = name.strip()
    if not name:
        return "Enter a username first."
    people = User.objects.filter(is_active=True)
    found = list(people.filter(username__iexact=name)) or list(people.filter(name__iexact=name)[:2])
    if not found:
        return f"No user “{name}” found. Enter the exact username."
    if len(found) > 1:
        return f"More than one person is called “{name}”. Enter the username."
    place, is_new = Participant.objects.get_or_create(conversation=conversation, user=found[0])
    if not is_new:
        return f"{found[0]} is already in this conversation."
    Participant.objects.filter(pk=place.pk).update(active_at=active_at(conversation))
    broadcasts.add_to_list(SidebarRow.of(conversation), found[0].pk)
    broadcasts.announce_members(conversation)
    return ""


def remove(conversation: Conversation, person: User) -> str:
    """Their tabs on it close at once. Returns "" or, for people, why it could not be done."""
    place = conversation.participants.filter(user=person)
    if place.filter(role=Participant.Role.OWNER).exists():
        return "The owner cannot leave. Delete the conversation instead."
    place.delete()
    broadcasts.end_access(conversation, person.pk)
    broadcasts.announce_members(conversation)
    return ""


def active_at(conversation: Conversation) -> object:
    """When the last turn was: where the conversation stands in the others' lists."""
    owner = conversation.participants.filter(role=Participant.Role.OWNER)
    return owner.values("active_at")[:1]
