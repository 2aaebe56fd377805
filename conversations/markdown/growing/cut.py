"""A rendering cut open inside its last and innermost element, where the text goes on."""

from dataclasses import dataclass
from typing import Final

from conversations.markdown.sanitise import words

ELEMENTS: Final = {"**": "strong", "*": "em", "`": "code"}
"""The marks that may be open at the end of a text, and what they make of it."""

_TABLE: Final = '<div class="table-scroll"'
_BLOCKS: Final = words("blockquote div h2 h3 h4 h5 h6 li ol p pre td tr ul")


@dataclass(slots=True)
class Cut:
    """HTML in two, the open elements' end tags and what follows them being the `foot`.

    `path` are the steps of a selector to the innermost open element, `name` is its tag.
    """

    head: str
    foot: str
    path: list[str]
    name: str
    is_row: bool = False

    @property
    def target(self) -> str:
        return " > ".join(self.path)

    def open_marks(self, marks: tuple[str, ...]) -> bool:
        """Moves the cut into the elements of marks, outermost first; False if they do not end there."""
        end_tags = "".join(f"</{ELEMENTS[mark]}>" for mark in reversed(marks))
        if not self.head.endswith(end_tags):
            return False
        self.head = self.head[: len(self.head) - len(end_tags)]
        self.path += [f"{ELEMENTS[mark]}:last-child" for mark in marks]
        return True


def cut_open(html: str, within: str) -> Cut:
    """The last blocks of the HTML, open."""
    end, path, name = len(html), [within], ""
    while end and html[end - 1] == ">":
        start = html.rfind("</", 0, end)
        tag = html[start + 2 : end - 1]
        if start < 0 or not (tag in _BLOCKS or (tag == "code" and name == "pre")):
            break
        path.append(f"{tag}:last-child")
        end, name = start, tag
    return Cut(html[:end], html[end:], path, name)


def start_of_row(html: str) -> int:
    """Where the last row starts of the table, or the rows of one, that the HTML is; -1 if it is something else."""
    if html.startswith("<tr>") or (html.startswith(_TABLE) and html.endswith("</tr></tbody></table></div>")):
        return html.rfind("<tr>")
    return -1


def cut_row(html: str, within: str, cell: int) -> Cut:
    """The last row of a table, open in its cell of this number."""
    end = start_of_row(html)
    for _ in range(cell):
        end = html.index("</td>", end + 1)
    table = [] if html.startswith("<tr>") else [".table-scroll:last-child", "table", "tbody"]
    path = [within, *table, "tr:last-child", f"td:nth-child({cell})"]
    return Cut(html[:end], html[end:], path, "td", is_row=True)
