"""Fields that a server may refuse although the request makes sense without them."""

import re
from collections.abc import Mapping
from typing import Any, Final

type Body = Mapping[str, Any]

_ALWAYS: Final = ("stream_options",)
_OURS: Final = ("user", "metadata")
"""Fields that nobody asked for. A program's own request keeps them, so that the program learns of the refusal."""
_NO_THINKING: Final[Body] = {
    "thinking": {"type": "disabled"},
    "chat_template_kwargs": {"enable_thinking": False},
    "reasoning_effort": "none",
}
"""Fields that switch thinking off. A server that refuses one of them does not know it."""
_NAMES: Final = {
    "thinking": re.compile(rb"\bthinking\b"),
    "reasoning_effort": re.compile(rb"reasoning[_.]effort|\beffort\b"),
    "chat_template_kwargs": re.compile(rb"chat_template_kwargs"),
    "stream_options": re.compile(rb"stream_options|include_usage"),
    "user": re.compile(rb"\buser\b"),
    "metadata": re.compile(rb"\bmetadata\b|\buser_id\b"),
}
"""How the words of a refusal name each field."""
_REFUSALS: Final = (400, 422)

_refused: Final[dict[tuple[str, str], set[str]]] = {}
"""The fields that a model refuses, by base URL and model. Each process learns them itself."""


class Concessions:
    """The fields left out of one request. The server has the last word: only what it then accepts is remembered."""

    def __init__(self, base_url: str, body: Body, *, is_ours: bool) -> None:
        self._model = (base_url, str(body.get("model")))
        without_thinking = [field for field, value in _NO_THINKING.items() if body.get(field) == value]
        self._fields = (*_ALWAYS, *_OURS, *without_thinking) if is_ours else _ALWAYS
        self._left_out = {field for field in _refused.get(self._model, ()) if field in self._fields and field in body}
        self._body = body

    @property
    def body(self) -> Body:
        return {name: value for name, value in self._body.items() if name not in self._left_out}

    def concede(self, status: int, refusal: bytes) -> bool:
        """Leaves out the first field that the refusal names. Returns False if it names none."""
        for field in self._fields if status in _REFUSALS else ():
            if field in self.body and _NAMES[field].search(refusal):
                self._left_out.add(field)
                return True
        return False

    def remember(self) -> None:
        if self._left_out:
            _refused.setdefault(self._model, set()).update(self._left_out)
