"""The few HTML tags that models write in Markdown and that are drawn. All others are shown as they were written."""

import re
from typing import Final

from conversations.markdown.parse import INLINE, Event
from conversations.markdown.sanitise import mask

_INLINE_TAG = re.compile(
    r"<(/?)(sub|sup|kbd|u|s|mark|b|i|strong|em|small)\s*>|(<br\s*/?>)|(<!--.*?-->)", re.DOTALL | re.I
)
_BLOCK_TAG = re.compile(r"(</?(?:details|summary)\s*>)\n?|(<br\s*/?>)\n?|<!--.*?-->\n?", re.DOTALL | re.IGNORECASE)
_ANY_TAG = re.compile(r"<[a-z/!?]", re.IGNORECASE)
_NOTHING: Final = "<!---->"
"""A comment, which the sanitiser removes."""

DEEPEST: Final = 20
"""Tags within one another that are drawn."""


def find_drawn(events: list[Event], start: int, source: str) -> dict[int, str]:
    """Returns the HTML of each inline tag that is drawn, by the index of its event. `source` is that of the first one.

    A tag is drawn with its counterpart, if both are in the same inline content.
    """
    drawn: dict[int, str] = {}
    open_tags: list[tuple[str, int, int]] = []
    depth = 0
    for index in range(start, len(events)):
        event = events[index]
        if isinstance(event, str):
            continue
        if index > start and "InlineHtml" not in event:
            if (tag := event.get("Start") or event.get("End")) is None:
                continue
            name = tag if isinstance(tag, str) else next(iter(tag))
            depth += 1 if "Start" in event else -1
            open_tags = [opened for opened in open_tags if name in INLINE and opened[2] <= depth]
            continue
        found = _INLINE_TAG.fullmatch(source if index == start else event["InlineHtml"])
        if found is None:
            continue
        closing, name, is_break, comment = found.groups()
        if comment or is_break:
            drawn[index] = "<br>" if is_break else _NOTHING
        elif not closing:
            open_tags.append((name.lower(), index, depth))
        else:
            _close(name.lower(), index, depth, open_tags, drawn)
    return drawn


def _close(name: str, index: int, depth: int, open_tags: list[tuple[str, int, int]], drawn: dict[int, str]) -> None:
    if len(open_tags) > DEEPEST:
        return
    for at in reversed(range(len(open_tags))):
        if open_tags[at][0] == name and open_tags[at][2] == depth:
            drawn |= {open_tags[at][1]: f"<{name}>", index: f"</{name}>"}
            del open_tags[at:]
            return


def render_block(source: str) -> str:
    """Returns a block of HTML: comments vanish, `details` and `summary` are drawn, and all else is shown as written."""
    pieces: list[str] = []
    done = 0
    for found in _BLOCK_TAG.finditer(source):
        pieces.append(_show(source[done : found.start()]))
        pieces.append("<br>" if found[2] else (found[1] or "").lower().replace(" ", ""))
        done = found.end()
    pieces.append(_show(source[done:]))
    return "".join(pieces)


def _show(source: str) -> str:
    source = source.strip("\n")
    if not source.strip():
        return ""
    text = mask(source).replace("\n", "<br>")
    return f'<p class="raw">{text}</p>' if _ANY_TAG.search(source) else text
