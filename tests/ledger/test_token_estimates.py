"""Token estimates of requests in either protocol."""

from typing import Any

import pytest

from ledger import token_estimates
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.events import MAX_TOKENS

PIXEL = "iVBORw0KGgo" * 40_000
"""Base64 of a large image: its characters are not tokens."""


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"type": "text", "text": "a" * 4000}, 1000),
        ({"type": "text", "text": "茶" * 1000}, 750),
        ({"type": "text", "text": ""}, 0),
        ({"type": "text", "text": "\ud800" * 4}, 3),
        ({"type": "thinking", "thinking": "a" * 4000}, 0),
        ({"type": "image", "width": 750, "height": 100}, 101),
        ({"type": "image", "width": 8000, "height": 8000}, 1600),
        ({"type": "image"}, 1334),
        ({"type": "image", "source": {"type": "base64", "data": PIXEL}}, 1334),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}, 1334),
        ({"type": "document", "kind": "pdf", "pages": 10, "size": 9}, 15_000),
        ({"type": "document", "kind": "text", "size": 4000}, 1000),
        ({"type": "document", "source": {"type": "text", "data": "a" * 400}}, 100),
        ({"type": "document", "source": {"type": "base64", "data": "a" * 200_000}}, 4500),
        ({"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}}, 1500),
        ({"type": "document", "source": {"type": "content", "content": [{"type": "image"}]}}, 1334),
        ({"type": "file", "file": {"file_data": "a" * 200_000}}, 4500),
        ({"type": "input_audio", "input_audio": {"data": "a" * 10}}, 1500),
    ],
)
def test_a_block_is_estimated(block: dict[str, Any], tokens: int) -> None:
    assert token_estimates.estimate_content(block) == tokens


TOOL = {"name": "look_up", "description": "d" * 400, "input_schema": {"type": "object", "properties": {}}}
TEXT = "a" * 400


@pytest.mark.parametrize(
    "body",
    [
        ChatRequest("m", [ChatMessage("user", [{"type": "text", "text": TEXT}])], system=TEXT, tools=[TOOL]),
        {"system": TEXT, "messages": [{"role": "user", "content": TEXT}], "tools": [TOOL]},
        {
            "system": [{"type": "text", "text": TEXT}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": TEXT}]}],
            "tools": [TOOL],
        },
        {
            "messages": [{"role": "system", "content": TEXT}, {"role": "user", "content": TEXT}],
            "tools": [{"type": "function", "function": TOOL}],
        },
    ],
)
def test_a_request_adds_up_its_parts(body: Any) -> None:
    assert 300 < token_estimates.estimate_prompt(body) < 340


def test_tool_results_count_with_their_images() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": TEXT}, {"type": "image"}]}
    assert 1434 <= token_estimates.estimate_prompt({"messages": [{"role": "user", "content": [result]}]}) < 1460


@pytest.mark.parametrize(
    "body", [{}, {"messages": None}, {"messages": "?"}, {"messages": [None, 1, {"content": 5}]}, {"tools": {"a": 1}}]
)
def test_invalid_bodies_are_estimated_too(body: Any) -> None:
    assert 0 <= token_estimates.estimate_prompt(body) < 10


@pytest.mark.parametrize("number", [2**31, 2**63 - 1, 2**63, 10**30, 1e300, -(2**63), 0, True, "7", None, []])
@pytest.mark.parametrize("name", ["width", "height", "pages", "size"])
@pytest.mark.parametrize("kind", ["image", "document"])
def test_impossible_sizes_are_harmless(kind: str, name: str, number: Any) -> None:
    block = {"type": kind, name: number, "source": {"type": "url", name: number}}
    estimate = token_estimates.estimate_prompt({"messages": [{"role": "user", "content": [block, block]}]})
    assert type(estimate) is int and 0 < estimate <= MAX_TOKENS


def test_deep_nesting_is_harmless() -> None:
    content: Any = TEXT
    for _ in range(50_000):
        content = [content]
    assert token_estimates.estimate_content(content) == 100
