"""Markdown of people and of language models as safe HTML, at once (`render`) or as it grows (`StreamingMarkdown`).

A text passes through `parse` (events of the one parser), `writer` (HTML with everything escaped) and `sanitise` (an
allow-list). `code`, `math` and `links` write what needs more than a tag. `growing` decides what changes on the page.

To add a kind of block: enable it in `parse`, add its tags to the tables at the end of `writer`, allow them in
`sanitise`, and style them in static/css/markdown.css. While it grows, `growing.block` renders it like any other block.
A kind that may be long gets a class of its own beside `growing.fence` and `growing.units`, chosen in `growing.stream`.
"""

from conversations.markdown.growing.patch import Patch
from conversations.markdown.growing.stream import StreamingMarkdown
from conversations.markdown.render import Renderer, render
from conversations.markdown.title import title_from

__all__ = ["Patch", "Renderer", "StreamingMarkdown", "render", "title_from"]
