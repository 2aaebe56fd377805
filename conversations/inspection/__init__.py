"""Identifies uploaded files by their content, makes them harmless, or refuses them with a reason for people."""

from conversations.inspection.encodings import ENCODINGS, decode_as
from conversations.inspection.examine import inspect_file
from conversations.inspection.findings import FileLimits, Finding, Kind, Refused
from conversations.inspection.names import tidy_name
from conversations.inspection.sniff import kind_of

__all__ = [
    "ENCODINGS",
    "FileLimits",
    "Finding",
    "Kind",
    "Refused",
    "decode_as",
    "inspect_file",
    "kind_of",
    "tidy_name",
]
