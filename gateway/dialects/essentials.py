"""Checks a request that reaches an upstream of the same protocol: only what the gateway itself reads.

Everything else is the upstream's to judge: servers differ in the values that they accept.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.dialects.checks import Rule, any_number, array, boolean, integer, mapping, record, string, string_or, text

MAX_ANSWERS: Final = 128

_WHOLE: Final = integer(-(2**63), 2**63 - 1)
_REQUIRED: Final[Mapping[str, Rule]] = {
    "model": text,
    "messages": array(record({}, {"content": string_or(array(mapping))}), least=1),
}
_OPTIONAL: Final[Mapping[str, Rule]] = {
    "stream": boolean,
    "temperature": any_number,
    "top_p": any_number,
    "tools": array(record({}, {"name": string})),
}
_THINKING: Final = {"thinking": record({}, {"budget_tokens": _WHOLE})}
_COUNT: Final = record(_REQUIRED, {**_OPTIONAL, **_THINKING})
_MESSAGES: Final = record({**_REQUIRED, "max_tokens": _WHOLE}, {**_OPTIONAL, **_THINKING})
_CHAT: Final = record(
    _REQUIRED,
    {
        **_OPTIONAL,
        "max_tokens": _WHOLE,
        "max_completion_tokens": _WHOLE,
        "n": integer(1, MAX_ANSWERS),
        "stream_options": mapping,
    },
)


def check_messages(body: Mapping[str, Any]) -> None:
    _MESSAGES(body, "")


def check_count(body: Mapping[str, Any]) -> None:
    _COUNT(body, "")


def check_chat(body: Mapping[str, Any]) -> None:
    _CHAT(body, "")
