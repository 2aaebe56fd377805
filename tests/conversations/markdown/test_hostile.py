"""Whatever anybody writes, none of it runs, loads anything or leaves its place, and none of it takes long."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.markdown import Renderer, StreamingMarkdown, render, sanitise, title_from
from conversations.markdown.sanitise import COLOURS, FORMULA_CLASSES, normalise, split_words
from tests.conversations.markdown.page import PatchedPage, tree
from tests.conversations.markdown.texts import pieces
from tests.hostile import EXHAUSTING, PAYLOADS

ELEMENTS = split_words(
    "root a b blockquote br button code col colgroup del details div em h3 h4 h5 h6 hr i input kbd li mark ol p pre "
    "s small span strong sub summary sup table tbody td th thead tr u ul math menclose mfrac mi mn mo mover mpadded "
    "mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover mphantom mmultiscripts"
)
CLASSES = (
    COLOURS
    | FORMULA_CLASSES
    | split_words(
        "tail image task math table-scroll alert alert-title alert-note raw center right code code-head code-language "
        "footnote footnote-mark highlight lines rows typed size-1 size-2"
    )
)
ATTRIBUTES = split_words(
    "href title target rel start role tabindex aria-label scope class type disabled checked aria-pressed "
    "data-copy-code data-wrap-code"
)
OURS = (
    {"type": "button", "data-wrap-code": None, "aria-pressed": "false"},
    {"type": "button", "data-copy-code": None},
)


def assert_harmless(html: str) -> None:
    assert not re.search(r"<(?:hx-|head|title|!|\?)", html, re.IGNORECASE)
    is_math = False
    for node in tree(html).everything():
        is_math = node.tag.startswith("m") and node.tag != "root"
        assert node.tag in ELEMENTS
        assert set((node.attributes.get("class") or "").split()) <= CLASSES
        for name, value in node.attributes.items():
            assert is_math or name in ATTRIBUTES
            assert not name.startswith(("on", "hx-", "data-hx", "style", "id", "src", "xlink", "form", "xmlns"))
            assert "url(" not in (value or "") or name in ("href", "title")
        if node.tag == "a":
            # The sanitiser removes an address that it cannot read. A link without one is only text.
            assert re.match(r"https?://[^/\s]|mailto:|\Z", node.attributes.get("href") or "", re.IGNORECASE)
            assert node.attributes["rel"] == "noopener noreferrer nofollow"
            assert node.attributes["target"] == "_blank"
        if node.tag == "math" or is_math:
            assert not {"href", "class", "title"} & node.attributes.keys()
        if node.tag == "button":
            assert node.attributes in OURS
        if node.tag == "input":
            assert node.attributes["type"] == "checkbox"
            assert "disabled" in node.attributes


def test_a_payload_is_harmless():
    for payload in PAYLOADS:
        for text in (payload, f"a {payload} b", f"> - {payload}\n\nb"):
            assert_harmless(render(text))
            assert_harmless(Renderer().render_typed(text))


def test_a_payload_is_harmless_wherever_it_is_cut():
    for payload in PAYLOADS:
        for cut in range(1, len(payload), 2):
            stream = StreamingMarkdown()
            stream.feed(payload[:cut])
            stream.feed(payload[cut:])
            assert_harmless(stream.html)


def test_a_payload_is_harmless_letter_by_letter():
    for payload in PAYLOADS:
        stream = StreamingMarkdown()
        page = PatchedPage(stream.html)
        for letter in payload:
            patches = stream.feed(letter)
            for patch in patches:
                assert_harmless(patch.html)
            page.apply(patches)
        assert page.root == tree(stream.html)


OPEN_ENDS = {
    **{"a paragraph": "Some words ", "a word": "Some", "bold text": "Some **bold ", "code": "run `ls ", "a link": "[x"},
    **{"an item": "- item ", "a cell": "| a | b |\n|---|---|\n| cell ", "a heading": "## Head ", "a quote": "> said "},
    **{"an address": "[x](https://a.b/", "a title": "[x](https://a.b '", "a line": "Some words\n", "math": "$x"},
}


@pytest.mark.parametrize("name", OPEN_ENDS)
def test_a_payload_is_harmless_where_text_is_appended(name):
    for payload in PAYLOADS:
        stream = StreamingMarkdown()
        stream.feed(OPEN_ENDS[name])
        page = PatchedPage(stream.html)
        for piece in pieces(payload, [3, 1, 4]):
            patches = stream.feed(piece)
            for change in patches:
                assert_harmless(change.html)
            page.apply(patches)
        assert page.root == tree(stream.html)
        assert_harmless(stream.html)


class Tags(HTMLParser):
    """Reads HTML, however broken, and asserts that all its elements and attributes are ours."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        for name, value in attrs:
            assert name != "class" or set((value or "").split()) <= CLASSES
            assert name != "href" or re.match("https?://|mailto:", value or "")

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment got through")

    handle_decl = handle_pi = unknown_decl = handle_comment


FRAGMENTS = [
    *split_words(
        "<p> </p> <p <P> <p/> <td> <br> <br/> <em> <code> </code> </div> <script> </script> <style> <svg> <math>"
    ),
    *split_words("""<td/class="right"> < > <!-- --> <! <? & &lt; &lt &#60; &amp; " ' x onload=x javascript:x"""),
    *(" ", "\n", "\t", "\r", "\f", "\xa0", "\u2028", "\ufdd0", "<hr onclick=x>", "<a href=javascript:x>", "<p >"),
    *('<td class="right">', '<td class="x">', "<td class=right>", '<th scope="col" class="center">', "</td x>"),
    '<div class="table-scroll" role="group" aria-label="Table" tabindex="0">',
    '<div class="table-scroll" onclick="x">',
]


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(st.sampled_from(FRAGMENTS) | st.sampled_from(PAYLOADS), max_size=8).map(
        lambda parts: normalise("".join(parts))
    )
)
def test_html_that_the_writer_did_not_mean_to_write_is_sanitised(html):
    reader = Tags()
    reader.feed(sanitise.body.clean(html))
    reader.close()


@given(st.text("a&<>\xa0\ufdd1\ufdd4;#\n").map(normalise))
def test_the_sanitiser_gets_text_without_character_references(text):
    """It takes quadratic time for them."""
    masked = sanitise.mask(text)
    assert not set("&<>\xa0") & set(masked)
    assert sanitise.clean_body(masked) == sanitise.escape(text)


def test_a_title_is_one_short_visible_line():
    for payload in PAYLOADS:
        title = title_from(payload)
        assert len(title) <= 60
        assert title.isprintable()


@pytest.mark.parametrize("name", EXHAUSTING)
def test_no_text_exhausts_the_renderer(name):
    """Work that is quadratic in the text would not finish here."""
    text = EXHAUSTING[name]
    assert_harmless(render(text))
    title_from(text)
    stream = StreamingMarkdown()
    for at in range(0, min(len(text), 20_000), 200):
        stream.feed(text[at : at + 200])
    assert_harmless(stream.html)
