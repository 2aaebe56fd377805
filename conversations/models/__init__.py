"""The tables of conversations."""

from conversations.models.attachment import Attachment
from conversations.models.branch import Branch
from conversations.models.conversation import Conversation, Participant, ThinkingMode
from conversations.models.generation import Generation, State
from conversations.models.generation_call import GenerationCall
from conversations.models.message import Message, MessageQuerySet, Role
from conversations.models.path import Path
from conversations.models.tool_approval import Decision, ToolApproval, ToolGrant
from conversations.models.unsent import Unsent, lock_unsent

__all__ = [
    "Attachment",
    "Branch",
    "Conversation",
    "Decision",
    "Generation",
    "GenerationCall",
    "Message",
    "MessageQuerySet",
    "Participant",
    "Path",
    "Role",
    "State",
    "ThinkingMode",
    "ToolApproval",
    "ToolGrant",
    "Unsent",
    "lock_unsent",
]
