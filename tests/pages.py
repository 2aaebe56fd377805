"""A page in a browser. It applies the server's messages as htmx would."""

from collections import Counter
from collections.abc import Callable
from html import escape
from typing import Final

from lxml import html
from lxml.html import HtmlElement

HTMX: Final = {"hx-request": "true"}
"""The headers of a request by htmx."""


class Page:
    """One open page. It is strict: ids are unique, and only the swap styles in use are supported."""

    def __init__(self, source: str) -> None:
        self.root: HtmlElement = html.document_fromstring(source)

    def find(self, selector: str) -> list[HtmlElement]:
        found: list[HtmlElement] = self.root.cssselect(selector)
        return found

    def one(self, selector: str) -> HtmlElement:
        [element] = self.find(selector)
        return element

    # What people read

    @property
    def messages(self) -> list[int]:
        """The messages' keys, from top to bottom."""
        return [int(article.get("id")[1:]) for article in self.find("#messages article:not([data-state=deleted])")]

    def has(self, message: int) -> bool:
        return bool(self.find(f"#m{message}"))

    def text(self, message: int) -> str:
        """A message's words, with its thinking and without its controls."""
        body = self.one(f"#m{message}-body")
        texts = body.xpath(".//text()[not(ancestor::*[@class='code-head'])]")
        return " ".join("".join(texts).split())

    def article(self, message: int) -> str:
        """All text of a message: its words, its state and its figures."""
        return words(self.one(f"#m{message}"))

    def state(self, message: int) -> str:
        state: str = self.one(f"#m{message}").get("data-state")
        return state

    @property
    def title(self) -> str:
        return words(self.one("#heading"))

    # What the server changes

    def apply(self, message: str) -> None:
        """Applies one message of the socket. Like htmx, finds all targets before the first swap."""
        tasks = []
        for part in fragment(message):
            assert part.tag == "hx-partial", f"{part.tag} would be swapped into the page's main element"
            targets = self.find(part.get("hx-target"))
            tasks += [(target, part.get("hx-swap"), contents(part)) for target in targets]
        for target, style, content in tasks:
            self.swap(target, style, content)
        twice = [key for key, times in Counter(self.root.xpath("//@id")).items() if times > 1]
        assert not twice, f"on the page more than once: {twice}"

    def swap(self, target: HtmlElement, style: str, content: str) -> None:
        SWAPS[style](target, content)


def words(element: HtmlElement) -> str:
    return " ".join(element.text_content().split())


def fragment(source: str) -> HtmlElement:
    return html.fragment_fromstring(source, create_parent="div")


def form_errors(source: bytes) -> dict[str, str]:
    """The errors of a form, by the name of the field."""
    document = fragment(source.decode())
    found = {}
    for field in document.cssselect("[aria-invalid=true], [aria-invalid='']"):
        errors = [document.get_element_by_id(key, None) for key in (field.get("aria-describedby") or "").split()]
        found[field.get("name")] = " ".join(
            " ".join(each.text_content().split()) for each in errors if each is not None
        )
    return found


def contents(element: HtmlElement) -> str:
    return escape(element.text or "") + "".join(html.tostring(child, encoding="unicode") for child in element)


def insert(parent: HtmlElement, index: int, source: str) -> None:
    fresh = fragment(source)
    if fresh.text:
        if index:
            parent[index - 1].tail = (parent[index - 1].tail or "") + fresh.text
        else:
            parent.text = (parent.text or "") + fresh.text
    for offset, child in enumerate(list(fresh)):
        parent.insert(index + offset, child)


def before(target: HtmlElement, source: str) -> None:
    parent = target.getparent()
    if parent is not None:
        insert(parent, parent.index(target), source)


def inside(target: HtmlElement, source: str) -> None:
    target.text = None
    for child in list(target):
        target.remove(child)
    insert(target, 0, source)


def outside(target: HtmlElement, source: str) -> None:
    before(target, source)
    remove(target)


def remove(target: HtmlElement, _: str = "") -> None:
    if target.getparent() is not None:
        target.drop_tree()


def text_only(target: HtmlElement, source: str) -> None:
    inside(target, "")
    target.text = fragment(source).text_content()


def upsert(target: HtmlElement, source: str) -> None:
    """Replaces the elements that the page has, and inserts others in the order of the numbers in their ids."""
    document = target.getroottree().getroot()
    for child in list(fragment(source)):
        child.tail = None
        if there := document.xpath("//*[@id=$id]", id=child.get("id")):
            outside(there[0], html.tostring(child, encoding="unicode"))
            continue
        later = [other for other in target if number(other) > number(child) >= 0]
        target.insert(target.index(later[0]) if later else len(target), child)


def number(element: HtmlElement) -> int:
    key = (element.get("id") or "")[1:]
    return int(key) if key.isdigit() else -1


SWAPS: Final[dict[str, Callable[[HtmlElement, str], None]]] = {
    "beforebegin": before,
    "afterbegin": lambda target, source: insert(target, 0, source),
    "beforeend": lambda target, source: insert(target, len(target), source),
    "innerHTML": inside,
    "innerMorph": inside,
    "outerHTML": outside,
    "outerMorph": outside,
    "textContent": text_only,
    "upsert": upsert,
    "delete": remove,
}
