"""A growing text looks as it would rendered at once, and its patches cost no more at its end than at its start."""

import re

import pytest
from hypothesis import given, settings

from conversations.markdown import StreamingMarkdown, render
from tests.conversations.markdown.page import Node, PatchedPage, tree
from tests.conversations.markdown.texts import answers, cuts, pieces, texts


def closed(stream: StreamingMarkdown) -> str:
    """Returns the HTML before the tail."""
    return stream.html.rpartition('<div class="tail">')[0]


def streamed(text: str, length: int = 12) -> StreamingMarkdown:
    stream = StreamingMarkdown()
    for piece in pieces(text, [length]):
        stream.feed(piece)
    return stream


def tail_of(stream: StreamingMarkdown) -> str:
    return stream.html.rpartition('<div class="tail">')[2].removesuffix("</div>")


@settings(max_examples=250, deadline=None)
@given(texts | answers, cuts)
def test_a_viewer_who_applies_the_patches_sees_the_same_as_one_who_joins(text, lengths):
    stream = StreamingMarkdown()
    page = PatchedPage(stream.html)
    for piece in pieces(text, lengths):
        page.apply(stream.feed(piece))
        assert page.root == tree(stream.html)


@settings(max_examples=250, deadline=None)
@given(texts | answers, cuts)
def test_a_closed_block_never_changes_and_is_a_part_of_the_whole(text, lengths):
    stream = StreamingMarkdown()
    before = ""
    for piece in pieces(text, lengths):
        stream.feed(piece)
        assert closed(stream).startswith(before)
        before = closed(stream)
    assert render(text).startswith(before)


@settings(max_examples=150, deadline=None)
@given(texts | answers, cuts)
def test_after_its_end_all_of_a_text_is_closed(text, lengths):
    stream = StreamingMarkdown()
    for piece in pieces(text + "\n", lengths):
        stream.feed(piece)
    stream.feed("\n\nThe end.\n")
    assert closed(stream) == render(f"{text}\n\n\n") or is_never_closed(text)


def is_never_closed(text: str) -> bool:
    """Whether the text ends in a block that a blank line does not end."""
    return not render(f"{text}\n\n\nThe end.").endswith("<p>The end.</p>")


def has_open_formula(text: str) -> bool:
    """Whether the text may end in a formula of several lines, which waits for its end."""
    return text.count("$$") % 2 == 1 or text.count("\\[") != text.count("\\]")


@settings(max_examples=200, deadline=None)
@given((texts | answers).filter(lambda text: "|" not in text and not has_open_formula(text)), cuts)
def test_after_a_complete_line_a_text_looks_as_rendered_at_once(text, lengths):
    stream = StreamingMarkdown()
    for piece in pieces(text + "\n", lengths):
        stream.feed(piece)
    assert without_colours(closed(stream) + tail_of(stream)) == without_colours(render(text + "\n"))


def without_colours(html: str) -> str:
    return re.sub('<span class="[a-z]{1,2}">|</span>', "", html)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Some **bold te", "<p>Some <strong>bold te</strong></p>"),
        ("Some **", "<p>Some</p>"),
        ("Some *it", "<p>Some <em>it</em></p>"),
        ("run `ls -", "<p>run <code>ls -</code></p>"),
        ("see [the page](https://exa", "<p>see the page</p>"),
        ("2 * 3", "<p>2 * 3</p>"),
        ("text\n-", "<p>text</p>"),
        ("text\n==", "<p>text</p>"),
        ("text\n1.", "<p>text</p>"),
        ("#", ""),
        ("- [", ""),
        ("``", ""),
        ("```pyth", ""),
        ("| a | b |\n|--", ""),
        ("- a\n- **b", "<ul><li>a</li><li><strong>b</strong></li></ul>"),
    ],
)
def test_half_written_marks_are_not_shown(text, shown):
    assert tail_of(streamed(text, 1)) == shown


def test_a_block_of_code_is_recognised_before_its_end():
    stream = streamed("```python\ndef f():\n    retu", 3)
    code = next(node for node in tree(stream.html).everything() if node.tag == "code")
    assert code.text() == "def f():\n    retu"
    assert code.elements() == []
    stream.feed("rn\n```\n")
    assert '<span class="k">return</span>' in closed(stream)


def test_code_in_a_list_grows_inside_of_it():
    stream = streamed("1. a\n\n   ```py\n" + "   x = 1\n" * 300)
    code = next(node for node in tree(stream.html).everything() if node.tag == "code")
    assert code.text().count("x = 1") == 300


def test_a_list_that_turns_loose_does_so_in_all_its_items():
    stream = streamed("- a\n- b\n\n- c\n")
    assert tail_of(stream) == "<ul><li><p>a</p></li><li><p>b</p></li><li><p>c</p></li></ul>"


def test_a_list_keeps_its_numbers():
    stream = streamed("3. a\n\n4. b\n\n5. c")
    assert tail_of(stream) == '<ol start="3"><li><p>a</p></li><li><p>b</p></li><li><p>c</p></li></ol>'


def test_a_row_shows_before_it_is_complete():
    stream = streamed("|a|b|\n|-|-:|\n|1|2|\n|3", 1)
    assert tail_of(stream).endswith('<tr><td>3</td><td class="right"></td></tr></tbody></table></div>')


def test_the_text_of_a_row_never_shrinks():
    head, rows = "|a|b|\n|-|-:|\n", "|1|2|\n|one|two|\n|three"
    shown = [tail_of(streamed(head + rows[:end], 1)) for end in range(rows.index("2"), len(rows) + 1)]
    letters = [len(re.sub(r"<[^>]*>|\s", "", html)) for html in shown]
    assert letters == sorted(letters)


def test_a_paragraph_after_a_list_shows_at_once():
    stream = streamed("- a\n- b\n\nAnd", 1)
    assert closed(stream) == "<ul><li>a</li><li>b</li></ul>"
    assert tail_of(stream) == "<p>And</p>"


def test_a_line_that_ends_in_two_pieces_is_one_line():
    stream = StreamingMarkdown()
    for piece in ("a\r", "\nb\r", "\n\r", "\nc"):
        stream.feed(piece)
    assert closed(stream) == render("a\r\nb")


def test_a_reference_waits_for_the_whole():
    text = "[a]\n\ntext\n\n[a]: https://b.c\n"
    assert "<a" not in closed(streamed(text))
    assert 'href="https://b.c"' in render(text)


PROSE = "Some words with **weight** and `code`, then plain ones that go on for a while, as they do. "
LONG = {
    "paragraphs": f"{PROSE * 4}\n\n",
    "one paragraph": PROSE,
    "one list": f"- **Item** {PROSE[:60]}\n",
    "one loose list": f"1. {PROSE[:60]}\n\n",
    "one nested list": "- a\n" + "  - some words in it\n" * 9,
    "one block of code": "    return f'{value}' if value < 3 else None\n",
    "one table": "| one cell | another `cell` | **three** |\n",
    "one quote": f"> {PROSE}\n",
    "blocks of a letter": "a\n\n",
    "indented code": "    x = 1\n",
    "one block of HTML": "<b>x</b> and so on\n",
    "no spaces": "*a_`b[",
}
STARTS = {"one block of code": "```python\n", "one table": "|a|b|c|\n|-|-|-|\n", "one block of HTML": "<div>\n"}


def bytes_sent(name: str, length: int) -> int:
    text = STARTS.get(name, "") + LONG[name] * (length // len(LONG[name]))
    stream = StreamingMarkdown()
    return sum(len(patch.html) for piece in pieces(text, [12]) for patch in stream.feed(piece))


LONG_BLOCKS = {
    "a block of code": ("```text\n", "line {n} of it, or\n\n  so\n"),
    "a list": ("", "- item {n}\n"),
    "a loose list": ("", "- item {n}\n\n  of it\n\n"),
    "a numbered list": ("7. the first\n", "1. item {n}\n"),
    "a list that turns loose": ("".join(f"{n}. item {n}\n" for n in range(1, 60)) + "\n", "1. item\n\n"),
    "a table": ("|a|b|\n|-|-:|\n", "|{n}|two|\n"),
}


@pytest.mark.parametrize("name", LONG_BLOCKS)
@pytest.mark.parametrize("length", [1, 7, 300])
def test_a_long_block_comes_in_parts_that_read_as_one(name, length):
    head, unit = LONG_BLOCKS[name]
    text = head + "".join(unit.format(n=n) for n in range(1, 200))
    stream = StreamingMarkdown()
    page = PatchedPage(stream.html)
    for piece in pieces(text, [length]):
        page.apply(stream.feed(piece))
    assert page.root == tree(stream.html)
    assert read_units(tail_of(stream)) == read_units(render(text))
    parts = [node for node in page.root.everything() if node.tag in ("ul", "ol", "tbody") or is_part_of_code(node)]
    assert len(parts) > 2


def read_units(html: str) -> list[tuple[int, str]]:
    """Returns the code, the rows, or the items with their numbers, however many elements they are in."""
    read: list[tuple[int, str]] = []
    for block in tree(html).elements():
        if block.tag in ("ul", "ol"):
            first = int(block.attributes.get("start") or block.tag == "ol")
            read += ((first + at * (block.tag == "ol"), item.text()) for at, item in enumerate(block.elements()))
        else:
            read += ((0, node.text()) for node in block.everything() if node.tag in ("tr", "code"))
    return read


def is_part_of_code(node: Node) -> bool:
    return node.attributes.get("class") == "lines"


@pytest.mark.parametrize("name", LONG)
def test_the_bytes_sent_are_linear_in_the_length(name):
    short, long = bytes_sent(name, 6_000), bytes_sent(name, 24_000)
    assert long < short * 4 * 1.6


@pytest.mark.parametrize("name", ["one list", "one loose list", "one block of code", "one table"])
def test_long_blocks_grow_by_appending(name):
    assert bytes_sent(name, 24_000) < 24_000 * 10


@pytest.mark.parametrize("name", LONG)
def test_text_shows_without_delay(name):
    stream = StreamingMarkdown()
    text = STARTS.get(name, "") + LONG[name] * (9_000 // len(LONG[name]))
    missing = 0
    for piece in pieces(text, [12]):
        # A line of marks waits for the letters after it. Nothing else waits longer than a few frames.
        missing = 0 if stream.feed(piece) or not re.search(r"\w", piece) else missing + len(piece)
        assert missing < 60
