"""What people type, shown as they typed it: only code and links are drawn."""

import re

from conversations.markdown import code, links, sanitise
from conversations.markdown.drawing_time import DrawingTime
from conversations.markdown.sanitise import mask

_FENCED = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)\n(?P<source>.*?)(?:^ {0,3}(?P=fence)[`~]*[ \t]*(?:\n|\Z)|\Z)",
    re.DOTALL | re.MULTILINE,
)
_CODE = re.compile(r"(?<!`)(`{1,8})(?!`)([^\n]+?)(?<!`)\1(?!`)")


def render(text: str, time: DrawingTime) -> str:
    """Returns a normalised text as safe HTML."""
    pieces: list[str] = []
    done = 0
    for found in _FENCED.finditer(text):
        pieces += _render_words(text[done : found.start()]), code.render_block(found["info"], found["source"], time)
        done = found.end()
    pieces.append(_render_words(text[done:]))
    return "".join(pieces)


def _render_words(text: str) -> str:
    """Returns text between blocks of code, in which the page keeps spaces and line ends."""
    text = text.strip("\n")
    if not text.strip():
        return ""
    pieces: list[str] = []
    done = 0
    for found in _CODE.finditer(text):
        pieces += links.link_addresses(text[done : found.start()]), f"<code>{mask(found[2])}</code>"
        done = found.end()
    pieces.append(links.link_addresses(text[done:]))
    return sanitise.clean_body(f'<p class="typed">{"".join(pieces)}</p>')
