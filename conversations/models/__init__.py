"""What conversations are made of."""

from conversations.models.conversation import Conversation, Participant
from conversations.models.generation import Generation, State
from conversations.models.message import Message, Role

__all__ = ["Conversation", "Generation", "Message", "Participant", "Role", "State"]
