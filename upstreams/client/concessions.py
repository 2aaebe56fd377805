"""Fields that a server may refuse although the request makes sense without them."""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

from upstreams.protocols.no_thinking import find_no_thinking
from upstreams.wire.tolerant_json import dump

type Body = Mapping[str, Any]


class RequestOrigin(Enum):
    """Where a request comes from, which decides what it may lose."""

    PROGRAM = auto()
    """A program wrote it in the server's protocol, and learns of every refusal."""
    TRANSLATION = auto()
    """A program wrote it in the other protocol."""
    SITE = auto()
    """The site made it from a conversation's settings."""


_USAGE: Final = ("stream_options",)
_PSEUDONYMS: Final = ("user", "metadata")
_SETTINGS: Final = {
    "temperature": "Temperature was not sent: the model’s server refused it.",
    "top_p": "Top-p was not sent: the model’s server refused it.",
    "top_k": "Top-k was not sent: the model’s server refused it.",
    "presence_penalty": "Presence penalty was not sent: the model’s server refused it.",
    "frequency_penalty": "Frequency penalty was not sent: the model’s server refused it.",
    "stop": "The stop sequences were not sent: the model’s server refused them.",
    "stop_sequences": "The stop sequences were not sent: the model’s server refused them.",
    "reasoning_effort": "The reasoning effort was not sent: the model’s server refused it.",
    "output_config": "The reasoning effort was not sent: the model’s server refused it.",
}
"""The notes beside an answer that is written without a setting of its conversation."""
_STILL_THINKS: Final = "Thinking could not be switched off: the model’s server refused that."
_NAMES: Final = {
    "thinking": r"\bthinking\b",
    "chat_template_kwargs": r"chat_template_kwargs",
    "reasoning_effort": r"reasoning[_. ]effort|\beffort\b",
    "output_config": r"output_config|\beffort\b",
    "temperature": r"\btemperature\b",
    "top_p": r"\btop[_ -]?p\b",
    "top_k": r"\btop[_ -]?k\b",
    "presence_penalty": r"presence[_ ]penalty",
    "frequency_penalty": r"frequency[_ ]penalty",
    "stop": r"\bstop\b",
    "stop_sequences": r"\bstop_sequences\b",
    "stream_options": r"stream_options|include_usage",
    "user": r"\buser\b",
    "metadata": r"\bmetadata\b|\buser_id\b",
}
"""How the words of a refusal name each field."""
_PATTERNS: Final = {field: re.compile(name.encode(), re.IGNORECASE) for field, name in _NAMES.items()}
_REFUSALS: Final = (400, 422)

_refused: Final[dict[tuple[str, str], set[tuple[str, bytes]]]] = {}
"""What a model refuses, by base URL and model: fields, those that people set with the value. Each process learns it
itself."""


class Concessions:
    """The fields left out of one request. The server has the last word: only what it then accepts is remembered."""

    def __init__(self, base_url: str, body: Body, origin: RequestOrigin) -> None:
        self._model = (base_url, str(body.get("model")))
        self._body = body
        self._no_thinking = find_no_thinking(body)
        self._fields = [field for field in _list_optional(origin, self._no_thinking) if field in body]
        known = _refused.get(self._model, set())
        self._left_out = {field for field in self._fields if self._identify(field) in known}

    @property
    def body(self) -> Body:
        return {name: value for name, value in self._body.items() if name not in self._left_out}

    @property
    def remarks(self) -> list[str]:
        """A sentence for people for each field whose absence may change the answer."""
        lost = [field for field in self._fields if field in self._left_out and field not in self._no_thinking]
        remarks = [_SETTINGS[field] for field in lost if field in _SETTINGS]
        # One of these fields is enough.
        if self._no_thinking and self._no_thinking <= self._left_out:
            remarks.append(_STILL_THINKS)
        return remarks

    def concede(self, status: int, refusal: bytes) -> bool:
        """Leaves out the first field that the refusal names. Returns False if it names none."""
        for field in self._fields if status in _REFUSALS else ():
            if field not in self._left_out and _PATTERNS[field].search(refusal):
                self._left_out.add(field)
                return True
        return False

    def remember(self) -> None:
        if self._left_out:
            _refused.setdefault(self._model, set()).update(map(self._identify, self._left_out))

    def _identify(self, field: str) -> tuple[str, bytes]:
        """What of the field is refused. A server that refuses a value of a setting may accept another one."""
        return field, dump(self._body[field]) if field in _SETTINGS else b""


def _list_optional(origin: RequestOrigin, no_thinking: set[str]) -> Sequence[str]:
    """The fields that a request may lose. A program's own keep what it asked for, so that it learns of the refusal."""
    match origin:
        case RequestOrigin.PROGRAM:
            return _USAGE
        case RequestOrigin.TRANSLATION:
            return (*_USAGE, *sorted(no_thinking))
    return (*_USAGE, *_PSEUDONYMS, *sorted(no_thinking), *(field for field in _SETTINGS if field not in no_thinking))
