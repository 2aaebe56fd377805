"""Which models accept images and PDF files: by a person's setting, the server, the protocol or the name."""

import json
from typing import Any

import pytest

from upstreams import abilities
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.models import ChatModel
from upstreams.protocols.listings import read_models

TO = Endpoint("Testing", ProtocolName.OPENAI, "http://localhost")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, (None, None)),
        ({"capabilities": {}}, (None, None)),
        ({"capabilities": {"vision": True}}, (True, None)),
        ({"capabilities": {"vision": False, "completion_chat": True}}, (False, None)),
        ({"capabilities": {"image_input": {"supported": True}, "pdf_input": {"supported": False}}}, (True, False)),
        ({"capabilities": ["completion", "multimodal"]}, (True, None)),
        ({"capabilities": ["completion"]}, (None, None)),
        ({"architecture": {"input_modalities": ["text", "image"]}}, (True, False)),
        ({"architecture": {"input_modalities": ["text", "image", "file"]}}, (True, True)),
        ({"architecture": {"input_modalities": ["text"]}}, (False, False)),
        ({"capabilities": "vision"}, (None, None)),
    ],
)
def test_a_listing_may_state_abilities(entry: dict[str, Any], expected: tuple[bool | None, bool | None]) -> None:
    [listed] = read_models(json.dumps({"data": [{"id": "m", **entry}]}).encode(), TO).models
    assert (listed.sees_images, listed.reads_pdf) == expected


def types(enabled: bool, adaptive: bool) -> dict[str, Any]:
    kinds = {"enabled": {"supported": enabled}, "adaptive": {"supported": adaptive}}
    return {"capabilities": {"thinking": {"supported": enabled or adaptive, "types": kinds}}}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, (None, None)),
        (types(enabled=True, adaptive=False), (True, False)),
        (types(enabled=False, adaptive=True), (False, True)),
        ({"capabilities": {"thinking": {"supported": False}}}, (False, False)),
        ({"capabilities": {"thinking": False}}, (False, False)),
        ({"capabilities": {"thinking": True}}, (None, None)),
        ({"capabilities": ["thinking"]}, (None, None)),
    ],
)
def test_a_listing_may_state_how_a_model_thinks(
    entry: dict[str, Any], expected: tuple[bool | None, bool | None]
) -> None:
    [listed] = read_models(json.dumps({"data": [{"id": "m", **entry}]}).encode(), TO).models
    assert (listed.supports_thinking, listed.thinks_adaptively) == expected


def test_a_listing_turns_on_abilities_that_nobody_has_set() -> None:
    model = ChatModel(model_id="m", as_listed={"name": "m"})
    model.follow_listing({"name": "m", "supports_thinking": True})
    assert model.supports_thinking is True
    model.supports_thinking = False
    model.follow_listing({"name": "m", "supports_thinking": True})
    assert model.supports_thinking is False


@pytest.mark.parametrize(
    ("model_id", "sees"),
    [
        ("gpt-4o-mini", True),
        ("gpt-5.1", True),
        ("o3", True),
        ("o3-mini", False),
        ("gpt-oss:20b", False),
        ("llava:7b", True),
        ("qwen2.5vl:7b", True),
        ("Qwen/Qwen3-VL-8B-Instruct", True),
        ("google/gemma-3-27b-it", True),
        ("gemma3:1b", False),
        ("llama3.1:8b", False),
        ("mistral-7b", False),
        ("deepseek-r1", False),
        ("test-model", False),
    ],
)
def test_chat_completions_models_are_recognised_by_their_names(model_id: str, sees: bool) -> None:
    assert abilities.sees_images(ProtocolName.OPENAI, model_id) is sees
    assert abilities.sees_images(ProtocolName.ANTHROPIC, model_id)


def test_the_listing_is_followed_until_a_person_sets_something_else() -> None:
    model = ChatModel(model_id="m")
    model.follow_listing({"sees_images": True})
    assert model.sees_images is True
    model.follow_listing({"sees_images": False})
    assert model.sees_images is False
    model.sees_images = True
    model.follow_listing({"sees_images": False})
    assert model.sees_images is True
