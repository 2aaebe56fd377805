"""Adding people to a conversation, and removing them."""

from accounts.models import User
from conversations.live import broadcasts
from conversations.live.sidebar import SidebarRow
from conversations.models import Conversation, Participant
from conversations.verbs import turns


def add(conversation: Conversation, name: str) -> str:
    """Adds the person with this username, or the only one with this name. Returns an error message, "" on success."""
    name = name.strip()
    if not name:
        return "Enter a username first."
    people = User.objects.filter(is_active=True)
    found = list(people.filter(username__iexact=name)) or list(people.filter(name__iexact=name)[:2])
    if not found:
        return f"No user “{name}” found. Enter the exact username."
    if len(found) > 1:
        return f"More than one person is called “{name}”. Enter the username."
    participant, is_new = Participant.objects.get_or_create(conversation=conversation, user=found[0])
    if not is_new:
        return f"{found[0]} is already in this conversation."
    Participant.objects.filter(pk=participant.pk).update(active_at=last_turn_query(conversation))
    broadcasts.add_to_list(SidebarRow.of(conversation), found[0].pk)
    broadcasts.announce_members(conversation)
    return ""


def remove(conversation: Conversation, person: User) -> str:
    """Removes a person and closes their tabs at once. Returns an error message, "" on success."""
    participant = conversation.participants.filter(user=person)
    if participant.filter(role=Participant.Role.OWNER).exists():
        return "The owner cannot leave. Delete the conversation instead."
    participant.delete()
    # Nobody else can allow their tools.
    turns.end_answers_without_asker()
    broadcasts.announce_removal(conversation, person.pk)
    broadcasts.announce_members(conversation)
    return ""


def last_turn_query(conversation: Conversation) -> object:
    """Returns a subquery for the time of the last turn, by which lists are sorted."""
    owner = conversation.participants.filter(role=Participant.Role.OWNER)
    return owner.values("active_at")[:1]
