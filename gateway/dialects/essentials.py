"""Checks a request that reaches an upstream of the same protocol: only what the gateway itself reads.

Everything else is the upstream's to judge: servers differ in the values that they accept.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.dialects.checks import Rule, any_number, array, boolean, integer, mapping, record, string, string_or, text
from upstreams.events import MAX_TOKENS

MAX_ANSWERS: Final = 128

# Some servers give negative numbers a meaning of their own.
_COUNTED: Final = integer(-MAX_TOKENS)
_REQUIRED: Final[Mapping[str, Rule]] = {
    "model": text,
    "messages": array(record({}, {"content": string_or(array(mapping))}), least=1),
}
_OPTIONAL: Final[Mapping[str, Rule]] = {
    "stream": boolean,
    "temperature": any_number,
    "top_p": any_number,
    "top_k": _COUNTED,
    "tools": array(record({}, {"name": string})),
}
_THINKING: Final = {"thinking": record({}, {"budget_tokens": _COUNTED})}
_COUNT: Final = record(_REQUIRED, {**_OPTIONAL, **_THINKING})
_MESSAGES: Final = record({**_REQUIRED, "max_tokens": _COUNTED}, {**_OPTIONAL, **_THINKING})
_CHAT: Final = record(
    _REQUIRED,
    {
        **_OPTIONAL,
        "max_tokens": _COUNTED,
        "max_completion_tokens": _COUNTED,
        "n": integer(1, MAX_ANSWERS),
        "stream_options": mapping,
        "top_logprobs": _COUNTED,
    },
)


def check_messages(body: Mapping[str, Any]) -> None:
    _MESSAGES(body, "")


def check_count(body: Mapping[str, Any]) -> None:
    _COUNT(body, "")


def check_chat(body: Mapping[str, Any]) -> None:
    _CHAT(body, "")
