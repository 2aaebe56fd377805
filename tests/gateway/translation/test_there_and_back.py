"""A request that both protocols can express survives translation there and back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.dialects.replies import inputs, words
from tests.gateway.translation.translating import to_chat, to_messages

said = words.map(lambda text: f"{text}.")
names = st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True)
data = st.sampled_from(["", "AAAA", "////"])
texts = said.map(lambda text: {"type": "text", "text": text})
images = st.builds(
    lambda kind, data: {"type": "image", "source": {"type": "base64", "media_type": f"image/{kind}", "data": data}},
    st.sampled_from(["jpeg", "png", "gif", "webp"]),
    data,
) | st.just({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png?b=1,2"}})
pdfs = st.builds(
    lambda title, data: {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data},
        "title": title,
    },
    said,
    data,
)
tools = st.builds(
    lambda name, more: {"name": name, "input_schema": {"type": "object", "properties": {"a": {}}, **more}},
    names,
    st.sampled_from([{}, {"required": ["a"], "additionalProperties": False}]),
)
described = st.sampled_from([{}, {"description": "d"}, {"strict": True}])


@st.composite
def exchanges(draw: st.DrawFn, place: int) -> list[dict[str, Any]]:
    """A model's turn, perhaps with calls of tools, and the user's turn after it."""
    ids = [f"toolu_{place}_{n}" for n in range(draw(st.integers(0, 2)))]
    calls = [{"type": "tool_use", "id": id, "name": "f", "input": draw(inputs)} for id in ids]
    results = [{"type": "tool_result", "tool_use_id": id, **draw(_answers)} for id in ids]
    said_by_model = draw(st.lists(texts, min_size=0 if calls else 1, max_size=1))
    said_by_person = draw(questions()) if not results or draw(st.booleans()) else []
    return [
        {"role": "assistant", "content": said_by_model + calls},
        {"role": "user", "content": results + said_by_person},
    ]


_answers = st.just({}) | st.builds(lambda content: {"content": content}, said)


@st.composite
def questions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Text and attachments alternate, because the other protocol joins adjacent texts."""
    first = draw(st.lists(texts, min_size=1, max_size=1))
    rest = draw(st.lists(st.tuples(images | pdfs, texts), max_size=2))
    return first + [block for pair in rest for block in pair]


@st.composite
def choices(draw: st.DrawFn) -> dict[str, Any]:
    offered = [
        tool | draw(described) for tool in draw(st.lists(tools, max_size=2, unique_by=lambda tool: tool["name"]))
    ]
    if not offered:
        return {}
    named = {"type": "tool", "name": offered[0]["name"]}
    choice = draw(st.sampled_from([None, {"type": "auto"}, {"type": "any"}, {"type": "none"}, named]))
    if choice and choice["type"] != "none" and draw(st.booleans()):
        choice = {**choice, "disable_parallel_tool_use": True}
    return {"tools": offered} | ({"tool_choice": choice} if choice else {})


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Messages requests that both protocols can express."""
    messages = [{"role": "user", "content": draw(questions())}]
    for place in range(draw(st.integers(0, 2))):
        messages += draw(exchanges(place))
    optional = {
        "system": st.lists(texts, min_size=1, max_size=1),
        "stop_sequences": st.lists(said, min_size=1, max_size=4),
        "metadata": st.just({"user_id": "u"}),
        "output_config": st.just({"format": {"type": "json_schema", "schema": {"type": "object"}}}),
        "service_tier": st.just("auto"),
    }
    sampling = st.just({}) | st.builds(
        lambda name, value: {name: value}, st.sampled_from(["temperature", "top_p"]), st.floats(0, 1)
    )
    return {
        "model": "their-name",
        "max_tokens": draw(st.integers(1, 10_000)),
        "stream": draw(st.booleans()),
        "messages": messages,
        **draw(st.fixed_dictionaries({}, optional=optional)),
        **draw(sampling),
        **draw(choices()),
    }


@given(requests())
def test_a_request_is_the_same_there_and_back(body: dict[str, Any]) -> None:
    there = to_chat(body)
    back = to_messages(there.body)
    assert back.body == body
    assert there.dropped == back.dropped == []
    assert to_chat(back.body).body == there.body
