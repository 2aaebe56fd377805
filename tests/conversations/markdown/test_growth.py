"""Patches to a growing text are small, and at each moment the page looks the same however the text is cut."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.markdown import Patch, StreamingMarkdown
from tests.conversations.markdown.page import PatchedPage, tree
from tests.conversations.markdown.texts import answers, cuts, long_blocks, marked_blocks, pieces, texts


def visible(stream: StreamingMarkdown) -> str:
    """Returns the HTML without the tail's element, and without colours, which come when a block of code is closed."""
    html = "".join(stream.html.rsplit('<div class="tail">', 1)).removesuffix("</div>")
    return re.sub('<span class="[a-z]{1,2}">|</span>', "", html)


def fed_at_once(text: str) -> str:
    stream = StreamingMarkdown()
    stream.feed(text)
    return visible(stream)


@settings(max_examples=400, deadline=None)
@given(answers | texts, cuts)
def test_a_text_looks_the_same_however_it_is_cut(text, lengths):
    stream = StreamingMarkdown()
    text = text[:1000]
    fed = ""
    for piece in pieces(text, lengths):
        stream.feed(piece)
        fed += piece
        assert visible(stream) == fed_at_once(fed)


@settings(max_examples=60, deadline=None)
@given(long_blocks, st.lists(st.integers(1, 200), min_size=1, max_size=12))
def test_a_long_block_looks_the_same_and_is_at_most_a_few_feeds_late(text, lengths):
    stream = StreamingMarkdown()
    page = PatchedPage(stream.html)
    fed = [""]
    for piece in pieces(text, lengths):
        page.apply(stream.feed(piece))
        fed.append(fed[-1] + piece)
        assert page.root == tree(stream.html)
        waits = len(fed[-1]) // 4096
        assert any(visible(stream) == fed_at_once(before) for before in fed[: -2 - waits : -1])


@settings(max_examples=60, deadline=None)
@given(marked_blocks, st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_no_mark_shows_while_it_waits_for_its_pair(text, lengths):
    stream = StreamingMarkdown()
    for piece in pieces(text, lengths):
        stream.feed(piece)
        assert not re.search(r"\*\*|`|\]\(", visible(stream))


@settings(max_examples=150, deadline=None)
@given(answers, cuts)
def test_all_patches_of_a_feed_find_their_places_before_the_first_is_applied(text, lengths):
    stream = StreamingMarkdown()
    text = f"{'Words that take room. ' * 60}{text}" if lengths[0] % 2 else text
    page = PatchedPage(stream.html)
    for piece in pieces(text, lengths):
        page.apply(stream.feed(piece))
        assert page.root == tree(stream.html)


def patches_of(text: str, before: str) -> list[Patch]:
    """Returns the patches for a text after `before`, with selectors that do without positions."""
    stream = StreamingMarkdown()
    stream.feed(before)
    return [patch._replace(target=patch.target.replace(":last-child", "")) for patch in stream.feed(text)]


P, STRONG = "> .tail > p", "> .tail > p > strong"


@pytest.mark.parametrize(
    ("before", "text", "patches"),
    [
        ("Some words", " and more,", [(P, " and more,")]),
        ("Some words", " and", [(P, " and")]),
        ("Some words", " ", []),
        ("Some words ", "and", [(P, " and")]),
        ("Some words", ' say "x" = 5 % (at 3:05) in C#', [(P, ' say "x" = 5 % (at 3:05) in C#')]),
        ("Some words", " 🙂 日本 é", [(P, " 🙂 日本 é")]),
        ("Some words", " **bold**, or", [(P, " <strong>bold</strong>, or")]),
        ("Some words", " **bo", [(P, " <strong>bo</strong>")]),
        ("Some words", " **", []),
        ("Some **bo", "ld words", [(STRONG, "ld words")]),
        ("Some **bo", "ld** and", [(STRONG, "ld"), (P, " and")]),
        ("Some **bo", "ld `x** y` and** *it*", [(STRONG, "ld <code>x** y</code> and"), (P, " <em>it</em>")]),
        ("run `ls", " -l | wc <x", [("> .tail > p > code", " -l | wc &lt;x")]),
        ("Some words", " [the", [(P, " [the")]),
        ("see [the](https://ex", "ample.org/x_y", []),
        ("Some words", ".\n\n", [(P, ".")]),
        ("Some words\n", "and", [(P, "<br>and")]),
        ("- **Item** a\n- it", "em", [("> .tail > ul > li", "em")]),
        ("1. a\n\n2. it", "em", [("> .tail > ol > li > p", "em")]),
        ("> quo", "ted", [("> .tail > blockquote > p", "ted")]),
        ("## Head", "ing", [("> .tail > h3", "ing")]),
    ],
)
def test_text_that_changes_nothing_before_it_is_appended(before, text, patches):
    assert patches_of(text, before) == [Patch(target, "beforeend", html) for target, html in patches]


def test_a_row_grows_alone():
    (patch,) = patches_of("ne | **two** | th", "| a | b | c |\n|---|--:|---|\n| 1 | 2 | 3 |\n| o")
    assert patch.target == "> .tail > .table-scroll > table > tbody > tr"
    assert patch.html == '<tr><td>one</td><td class="right"><strong>two</strong></td><td>th</td></tr>'


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("2 * 3", " *x*"),
        ("a[1]", "(x)"),
        ("see https://a.b", "c"),
        ("see http:", "//a.b"),
        ("R&am", "p;"),
        ("**a.**", "b"),
        ("$x$", "10"),
        ("`a`", "`"),
        ("<di", "v>"),
        ("# a", " #"),
        ("[a]: b", " c"),
        ("[a]: b 'c", "d'"),
        ("> [!NOTE]", "!"),
        ("| a", " | b"),
        ("1", " word"),
        ("x_y", "_z_"),
        ("[x] [a", "](http://b)"),
        ("- a!", "["),
    ],
)
def test_text_that_may_change_what_precedes_it_is_rendered(before, text):
    stream = StreamingMarkdown()
    for letter in before:
        stream.feed(letter)
    stream.feed(text)
    assert visible(stream) == fed_at_once(before + text)


def test_a_row_that_begins_with_half_a_mark_waits():
    stream = StreamingMarkdown()
    for letter in "| a | b |\n|---|---|\n| 1 | 2 |\n| [":
        stream.feed(letter)
    assert stream.html.count("<tr>") == 2
    stream.feed("x](https://a.b) |")
    assert stream.html.count("<tr>") == 3


def test_what_is_open_in_one_cell_is_not_open_in_the_next():
    stream = StreamingMarkdown()
    stream.feed("| a | b |\n|---|---|\n| 2 ** 3 | **bold te")
    assert "<td>2 ** 3</td><td><strong>bold te</strong></td>" in stream.html


def test_emphasis_around_open_code_is_closed_with_it():
    stream = StreamingMarkdown()
    stream.feed("Some **bold `co")
    assert "<p>Some <strong>bold <code>co</code></strong></p>" in stream.html


def test_a_list_of_stars_may_have_emphasis():
    stream = StreamingMarkdown()
    stream.feed("* an *it")
    assert "<li>an <em>it</em></li>" in stream.html
