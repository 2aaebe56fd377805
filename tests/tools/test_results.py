"""What tools answer, as blocks that models take."""

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
def test_an_image_has_the_type_that_its_bytes_say(data, media_type):
    [block] = result_from_mcp([image(data, "text/html")], None, False).content
    assert block["source"]["media_type"] == media_type


@pytest.mark.parametrize("data", ["", "!!!", "YWJj\n", "YWJ", "PGh0bWw+"])
def test_what_is_no_image_is_told(data):
    [block] = result_from_mcp([{"type": "image", "data": data, "mimeType": "image/png"}], None, False).content
    assert block["type"] == "text" and "left out" in block["text"]


def test_too_large_an_image_is_told():
    [block] = result_from_mcp([image(PNG + bytes(LIMITS.image_size))], None, False).content
    assert "larger than 3,750,000 bytes" in block["text"]


def test_too_many_images_are_told_once():
    content = result_from_mcp([image(PNG)] * 12, None, False).content
    assert [block["type"] for block in content] == ["image"] * 8 + ["text"]


def test_text_is_cut_over_all_blocks_and_images_behind_it_stay():
    piece = {"type": "text", "text": "ü" * 80_000}
    *texts, last = result_from_mcp([piece, piece, piece, image(PNG)], None, False).content
    assert len(texts) == 2 and last["type"] == "image"
    assert sum(len(block["text"].encode()) for block in texts) < LIMITS.text_size + 300
    assert "it has 480,000 bytes of text, and only the first 262,144 are shown" in texts[-1]["text"]


def test_what_no_database_keeps_is_replaced():
    assert text_of(ToolResult.from_text("a\0b\ud800c")) == "a\ufffdb?c"


@pytest.mark.parametrize("item", [{}, {"type": "image"}, {"type": "resource"}, {"type": "resource", "resource": 3}])
def test_content_of_no_kind_is_described(item):
    [block] = result_from_mcp([item], None, False).content
    assert block["type"] == "text" and "cannot be shown here" in block["text"]
