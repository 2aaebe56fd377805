"""Every request that passes the check is translated or refused with the name of a field; none is an internal error."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import Problem
from gateway.translation import Translation
from tests.gateway.dialects.bodies import CHAT, MESSAGES, MISSING, changed
from tests.gateway.translation.translating import to_chat, to_messages

KINDS = ["text", "image", "document", "search_result", "tool_result", "thinking", "image_url", "file", "custom", "none"]
ANYTHING = st.sampled_from(
    [MISSING, None, True, 0, 7, 0.5, "", " ", "x", "a b", [], {}, [[]], [None], ["x"], [{}], {"x": "y"}, {"type": "x"}]
) | st.sampled_from([{"type": kind} for kind in KINDS])


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The paths of every field in a body, and of the end of every array."""
    if isinstance(value, list):
        yield f"{path}+"
    for name, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield f"{path}{name}"
        yield from paths(inner, f"{path}{name}.")


@pytest.mark.parametrize(
    ("body", "to_the_other"),
    [(MESSAGES, to_chat), (changed(changed(CHAT, "logprobs", False), "top_logprobs", MISSING), to_messages)],
    ids=["messages", "chat"],
)
@given(st.data())
def test_what_passes_the_check_is_translated_or_refused(
    body: dict[str, Any], to_the_other: Callable[[dict[str, Any]], Translation], data: st.DataObject
) -> None:
    every_path = list(paths(body))
    for _ in range(data.draw(st.integers(1, 3))):
        path, value = data.draw(st.sampled_from(every_path)), data.draw(ANYTHING)
        # An earlier change may have taken the place of this one away.
        with suppress(KeyError, IndexError, TypeError, ValueError, AttributeError):
            body = changed(body, path, [] if value is MISSING and path.endswith("+") else value)
    try:
        told = to_the_other(body)
    except Problem as problem:
        assert problem.param and problem.message.startswith(f"{problem.param}: ")
    else:
        assert orjson.dumps(told.body)
        assert all(re.fullmatch(r"[\w.-]+", name) for name in told.dropped)
