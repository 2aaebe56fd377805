"""What an uploaded file really is: told from its content, made harmless, and refused in words that people can use."""

from conversations.inspection.examine import examined
from conversations.inspection.findings import Finding, Kind, Limits, Refused
from conversations.inspection.names import tidied

__all__ = ["Finding", "Kind", "Limits", "Refused", "examined", "tidied"]
