"""Markdown of people and of language models as safe HTML, whole or while it still grows."""

from conversations.markdown.growing.patch import Patch
from conversations.markdown.growing.stream import StreamingMarkdown
from conversations.markdown.render import render
from conversations.markdown.title import title_from

__all__ = ["Patch", "StreamingMarkdown", "render", "title_from"]
