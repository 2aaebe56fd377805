"""Patches to a viewer's page, in htmx's terms, and the diff that finds small ones."""

from typing import Final, NamedTuple

from conversations.markdown.sanitise import split_words

TAIL: Final = "> .tail"

_APPENDABLE: Final = split_words("blockquote code div em h3 h4 h5 h6 li ol p pre strong table tbody td tr ul")


class Patch(NamedTuple):
    """HTML for a place: `target` is a selector relative to the block's container, `swap` an htmx swap."""

    target: str
    swap: str
    html: str


class OpenElement(NamedTuple):
    """An element that ends with the HTML it is in: its name, the offset of its end tag, and its selector."""

    name: str
    end: int
    selector: str


def find_open_elements(html: str, within: str) -> list[OpenElement]:
    """Returns the elements that HTML ends with, the innermost first; the last is the one that `within` selects."""
    end, selector = len(html), within
    elements = [OpenElement("", end, within)]
    while html.endswith(">", 0, end):
        start = html.rfind("</", 0, end)
        name = html[start + 2 : end - 1]
        if start < 0 or name not in _APPENDABLE:
            break
        end, selector = start, f"{selector} > {name}:last-child"
        elements.append(OpenElement(name, end, selector))
    return elements[::-1]


def diff(within: str, before: str, after: str) -> list[Patch] | None:
    """Returns the patches that turn one HTML into another by appending alone, None if that is impossible.

    `within` selects the parent of both. What is appended costs little to send, and leaves a reader's selection alone.
    """
    patches = []
    elements = find_open_elements(before, within)
    at = elements[0].end
    if not after.startswith(before[:at]):
        return None
    for name, _, selector in elements:
        end = after.find(f"</{name}>", at) if name else len(after)
        fresh = after[at:end]
        if end < 0 or (name and f"<{name}" in fresh):
            return None
        if fresh:
            patches.append(Patch(selector, "beforeend", fresh))
        at = end + len(f"</{name}>")
    return patches


def diff_tail(before: str, after: str) -> list[Patch]:
    """Returns the patches that turn one content of the tail into another."""
    patches = diff(TAIL, before, after)
    return [Patch(TAIL, "innerMorph", after)] if patches is None else patches
