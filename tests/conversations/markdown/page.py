"""A small page that applies patches as a browser would. It is strict: every tag must be closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from conversations.markdown import Patch

VOID = {"br", "col", "hr", "input"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def append(self, child: Node | str) -> None:
        """Adds a child. Texts that touch become one, as readers see them."""
        if isinstance(child, str) and self.children and isinstance(last := self.children[-1], str):
            self.children[-1] = last + child
        elif child != "":
            self.children.append(child)

    def elements(self) -> list[Node]:
        return [child for child in self.children if isinstance(child, Node)]

    def everything(self) -> list[Node]:
        return [self, *(inner for child in self.elements() for inner in child.everything())]

    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("root")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.open[-1].append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.open[-1].append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment got through")

    handle_decl = handle_pi = unknown_decl = handle_comment


def tree(html: str) -> Node:
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert len(builder.open) == 1, "something stays open"
    return builder.open[0]


class PatchedPage:
    """The container of one streamed text."""

    def __init__(self, html: str) -> None:
        self.root = tree(html)

    def apply(self, patches: list[Patch]) -> None:
        """Applies the patches of a frame. As htmx does, it finds all their places before it changes the first."""
        for patch, (parent, target) in [(patch, self._find(patch.target)) for patch in patches]:
            fresh = tree(patch.html).children
            match patch.swap:
                case "beforeend":
                    for child in fresh:
                        target.append(child)
                case "innerMorph":
                    target.children = fresh
                case "outerMorph" | "beforebegin":
                    at = next(i for i, child in enumerate(parent.children) if child is target)
                    parent.children[at : at + (patch.swap == "outerMorph")] = fresh
                case other:
                    raise AssertionError(f"{other} is not a swap in use")

    def _find(self, selector: str) -> tuple[Node, Node]:
        """Returns the parent and the only element that a selector of child steps matches."""
        parent = node = self.root
        for step in selector.removeprefix("> ").split(" > "):
            name, _, position = step.partition(":")
            found = [child for child in node.elements() if name in (child.tag, f".{child.attributes.get('class')}")]
            if position:
                at = -1 if position == "last-child" else int(position.removeprefix("nth-child(")[:-1]) - 1
                found = [child for child in found if child is node.elements()[at]]
            assert len(found) == 1, f"{selector} names {len(found)} elements"
            parent, node = node, found[0]
        return parent, node
