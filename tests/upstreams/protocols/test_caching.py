"""Prompt caching: everything before a mark is the same, byte for byte, in every later request."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest

from tests.upstreams.protocols.reading import endpoint
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.endpoint import ProtocolName
from upstreams.protocols import anthropic, openai
from upstreams.protocols.anthropic.caching import MARK, mark_stable_parts

TO = endpoint(ProtocolName.ANTHROPIC)
TEXT = {"type": "text", "text": "hi"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"b": 1, "a": 2}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [TEXT]}
TOOLS = [{"name": name, "description": name, "input_schema": {"type": "object"}} for name in ("look", "search")]

CONVERSATION = [
    ChatMessage("user", [TEXT]),
    ChatMessage("assistant", [THOUGHT, {"type": "text", "text": "Hello.\n\n“Ada”"}]),
    ChatMessage("user", [IMAGE, TEXT]),
    ChatMessage("assistant", [THOUGHT, {"type": "text", "text": "I will look."}, CALL]),
    ChatMessage("user", [RESULT]),
    ChatMessage("assistant", [{"type": "text", "text": "A cat."}]),
    ChatMessage("user", [TEXT]),
    ChatMessage("user", [{"type": "text", "text": "Are you there?"}]),
]


def body(messages: Sequence[ChatMessage], tools: bool = True, **settings: Any) -> dict[str, Any]:
    sent = anthropic.payload(ChatRequest("m", messages, **{"system": "Be kind.", **settings}), TO)
    return mark_stable_parts({**sent, "tools": TOOLS}) if tools else sent


def without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_marks(inner) for name, inner in value.items() if name != "cache_control"}
    return [without_marks(inner) for inner in value] if isinstance(value, list) else value


def until_mark(value: Any) -> Iterator[tuple[bytes, bool]]:
    """The JSON of a request in pieces, without its marks. Each comes with whether a mark ends it."""
    for name, inner in value.items():
        yield orjson.dumps(name) + b":", False
        if name in ("tools", "system"):
            yield from blocks(inner)
        elif name == "messages":
            for message in inner:
                yield orjson.dumps(message["role"]), False
                yield from blocks(message["content"])
        else:
            yield orjson.dumps(inner), False


def blocks(value: list[dict[str, Any]]) -> Iterator[tuple[bytes, bool]]:
    return ((orjson.dumps(without_marks(block)), "cache_control" in block) for block in value)


def prefixes(sent: dict[str, Any]) -> list[bytes]:
    """The parts that end at each mark."""
    found, whole = [], b""
    for piece, is_marked in until_mark(sent):
        whole += piece
        if is_marked:
            found.append(whole)
    return found


def marks(sent: dict[str, Any]) -> int:
    return orjson.dumps(sent).count(b'"cache_control"')


@pytest.mark.parametrize("tools", [True, False])
@pytest.mark.parametrize("count", range(1, len(CONVERSATION)))
def test_every_later_request_begins_with_the_cached_part(count: int, tools: bool) -> None:
    earlier = body(CONVERSATION[:count], tools)
    for later in (body(CONVERSATION[:more], tools) for more in range(count + 1, len(CONVERSATION) + 1)):
        whole = b"".join(piece for piece, _ in until_mark(later))
        assert prefixes(earlier) and all(whole.startswith(prefix) for prefix in prefixes(earlier))


def test_the_bytes_are_the_same_up_to_the_mark() -> None:
    first, second = (orjson.dumps(body(CONVERSATION[:count])) for count in (1, 3))
    end = first.rindex(b',"cache_control"')
    assert second.startswith(first[:end])
    assert first.index(b'"tools"') < first.index(b'"system"') < first.index(b'"messages"')


@pytest.mark.parametrize("count", range(1, len(CONVERSATION) + 1))
def test_marks_are_on_the_tools_the_system_prompt_and_the_history(count: int) -> None:
    sent = body(CONVERSATION[:count])
    assert 2 <= marks(sent) <= 4
    assert [tool.get("cache_control") for tool in sent["tools"]] == [None, MARK["cache_control"]]
    assert sent["system"] == [{"type": "text", "text": "Be kind.", **MARK}]
    newest = max(place for place, message in enumerate(sent["messages"]) if message["role"] == "user")
    for place, message in enumerate(sent["messages"]):
        has_mark = [index for index, block in enumerate(message["content"]) if "cache_control" in block]
        assert has_mark == ([len(message["content"]) - 1] if place == newest - 1 else [])


def test_only_marks_are_added() -> None:
    request = ChatRequest("m", CONVERSATION, system="Be kind.")
    plain = anthropic.payload(request, endpoint(ProtocolName.ANTHROPIC, caches_prompts=False))
    assert marks(plain) == 0 and plain["system"] == "Be kind."
    assert without_marks(anthropic.payload(request, TO)) == {**plain, "system": [{"type": "text", "text": "Be kind."}]}
    assert marks({"said": [dict(block) for message in CONVERSATION for block in message.blocks]}) == 0


def test_neither_thinking_nor_empty_text_is_marked() -> None:
    empty = {"type": "text", "text": " "}
    content = [TEXT, THOUGHT, empty, {"type": "from_the_future", "text": "x"}]
    sent = mark_stable_parts(
        {"messages": [{"role": "assistant", "content": content}, {"role": "user", "content": [TEXT]}]}
    )
    assert [("cache_control" in block) for block in sent["messages"][0]["content"]] == [True, False, False, False]
    alone = mark_stable_parts(
        {"messages": [{"role": "assistant", "content": [THOUGHT]}, {"role": "user", "content": [TEXT]}]}
    )
    assert marks(alone) == 0


def test_a_continued_answer_is_not_history() -> None:
    sent = body([*CONVERSATION[:3], ChatMessage("assistant", [{"type": "text", "text": "It is a"}])])
    assert "cache_control" in sent["messages"][1]["content"][-1]
    assert sent["messages"][3]["content"] == [{"type": "text", "text": "It is a"}]


def test_without_a_stable_part_nothing_is_marked() -> None:
    sent = body([CONVERSATION[0]], tools=False, system="")
    assert marks(sent) == 0 and "system" not in sent


def test_chat_completions_get_no_marks() -> None:
    sent = openai.payload(ChatRequest("m", CONVERSATION, system="Be kind."), endpoint(ProtocolName.OPENAI))
    assert marks(sent) == 0
