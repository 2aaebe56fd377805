"""The HTML of a message's blocks: rendered once, within one limit of time."""

import pytest

from conversations.live import blocks
from conversations.live.blocks import shown_blocks
from conversations.markdown import Renderer
from conversations.markdown.drawing_time import DrawingTime
from conversations.models import Message, Role

pytestmark = pytest.mark.django_db


def write_answer(*texts: str) -> Message:
    return Message(pk=1, role=Role.ASSISTANT, blocks=[{"type": "text", "text": text} for text in texts])


def test_all_blocks_of_a_message_share_its_time_for_colours(monkeypatch):
    monkeypatch.setattr(blocks, "Renderer", lambda: Renderer(DrawingTime(seconds=1e-9)))
    answer = write_answer("```python\nclass First: pass\n```", "```python\nclass Second: pass\n```")
    first, second = shown_blocks(answer)
    assert '<span class="nc">First</span>' in first.html
    assert "class Second: pass\n</code>" in second.html


def test_a_long_text_is_rendered_once(monkeypatch):
    answer = write_answer("A long text. " * 5_000)
    (shown,) = shown_blocks(answer)
    monkeypatch.setattr(Renderer, "render", None)
    assert shown_blocks(answer) == [shown]


def test_a_person_and_a_model_can_write_the_same_text():
    answer = write_answer("one\ntwo")
    question = Message(pk=2, role=Role.USER, blocks=answer.blocks)
    assert shown_blocks(question)[0].html == '<p class="typed">one\ntwo</p>'
    assert shown_blocks(answer)[0].html == "<p>one<br>two</p>"


def test_the_kept_html_has_a_limit():
    cache = blocks.render_text.cache
    for number in range(30):
        shown_blocks(write_answer(f"{number} " * 200_000))
    assert cache.currsize <= blocks.RENDERED_BYTES
    assert len(cache) < 30
