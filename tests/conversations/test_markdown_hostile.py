"""Whatever anybody writes, nothing of it runs, fetches, or stands where it should not; and nothing takes long."""

import re

import pytest

from conversations.markdown import StreamingMarkdown, render, title_from
from conversations.markdown.sanitise import COLOURS, words
from tests.conversations.markdown_page import Page, tree
from tests.hostile import EXHAUSTING, PAYLOADS

ELEMENTS = words(
    "root a blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr input li ol p pre small span strong table tbody "
    "td th thead tr ul math menclose mfrac mi mn mo mover mpadded mroot mrow ms mspace msqrt mstyle msub msubsup msup "
    "mtable mtd mtext mtr munder munderover mphantom mmultiscripts"
)
CLASSES = COLOURS | words(
    "tail image task math table-scroll alert alert-title alert-note raw center right code code-head code-language "
    "highlight"
)
ATTRIBUTES = words(
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
            # Without an address, which the sanitiser takes away when it cannot read it, a link is only text.
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
            assert_harmless(render(text, breaks=True))


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
        page = Page(stream.html)
        for letter in payload:
            for patch in stream.feed(letter):
                assert_harmless(patch.html)
                page.apply(patch)
        assert page.root == tree(stream.html)
        assert_harmless(stream.finish())


def test_a_title_is_one_short_visible_line():
    for payload in PAYLOADS:
        title = title_from(payload)
        assert len(title) <= 60
        assert title.isprintable()


@pytest.mark.parametrize("name", EXHAUSTING)
def test_nothing_exhausts_the_renderer(name):
    """Work that grew with the square of the text would not come to its end here."""
    text = EXHAUSTING[name]
    assert_harmless(render(text))
    title_from(text)
    stream = StreamingMarkdown()
    for at in range(0, min(len(text), 20_000), 200):
        stream.feed(text[at : at + 200])
    assert_harmless(stream.html)
