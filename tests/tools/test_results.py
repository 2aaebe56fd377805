"""Results of tools as content blocks."""

import base64

import pytest

from tests.tools.reading import text_of
from tools.limits import LIMITS
from tools.results import ToolResult, result_from_mcp

PNG = b"\x89PNG\r\n\x1a\n"


def image(data, kind="image/png"):
    return {"type": "image", "data": base64.b64encode(data).decode(), "mimeType": kind}


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
    ],
)
def test_an_images_type_comes_from_its_bytes(data, media_type):
    [block] = result_from_mcp([image(data, "text/html")], None, False).content
    assert block["source"]["media_type"] == media_type


@pytest.mark.parametrize("data", ["", "!!!", "YWJj\n", "YWJ", "PGh0bWw+"])
def test_an_invalid_image_becomes_a_note(data):
    [block] = result_from_mcp([{"type": "image", "data": data, "mimeType": "image/png"}], None, False).content
    assert block["type"] == "text" and "left out" in block["text"]


def test_an_oversized_image_becomes_a_note():
    [block] = result_from_mcp([image(PNG + bytes(LIMITS.image_size))], None, False).content
    assert "larger than 3,750,000 bytes" in block["text"]


def test_images_beyond_the_limit_become_one_note():
    content = result_from_mcp([image(PNG)] * 12, None, False).content
    assert [block["type"] for block in content] == ["image"] * 8 + ["text"]


def test_the_text_limit_covers_all_blocks_and_keeps_later_images():
    piece = {"type": "text", "text": "ü" * 80_000}
    *texts, last = result_from_mcp([piece, piece, piece, image(PNG)], None, False).content
    assert len(texts) == 2 and last["type"] == "image"
    assert sum(len(block["text"].encode()) for block in texts) < LIMITS.text_size + 300
    assert "it has 480,000 bytes of text, and only the first 262,144 are shown" in texts[-1]["text"]


def test_characters_that_no_database_stores_are_replaced():
    assert text_of(ToolResult.from_text("a\0b\ud800c")) == "a\ufffdb?c"


@pytest.mark.parametrize("item", [{}, {"type": "image"}, {"type": "resource"}, {"type": "resource", "resource": 3}])
def test_unknown_content_becomes_a_note(item):
    [block] = result_from_mcp([item], None, False).content
    assert block["type"] == "text" and "cannot be shown here" in block["text"]
