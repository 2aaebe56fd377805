"""What a reader sees of the Markdown that people and models write."""

import re

import pytest

from conversations.markdown import Renderer, StreamingMarkdown, render, title_from
from conversations.markdown.code import LONGEST_COLOURED
from conversations.markdown.drawing_time import DrawingTime
from tests.conversations.markdown.page import Node, tree


def only(html: str, tag: str) -> Node:
    """Returns the only element with this tag."""
    (node,) = [node for node in tree(html).everything() if node.tag == tag]
    return node


def tags(html: str) -> set[str]:
    return {node.tag for node in tree(html).everything()} - {"root"}


def test_a_paragraph_has_emphasis_code_and_struck_text():
    assert render("a *b* **c** `d` ~~e~~") == ("<p>a <em>b</em> <strong>c</strong> <code>d</code> <del>e</del></p>")


def test_headings_are_one_level_below_the_pages_own():
    assert render("# a\n\n###### b\n\nc\n---") == '<h3 class="size-1">a</h3><h4>b</h4><h4 class="size-2">c</h4>'


def test_a_newline_breaks_the_line():
    assert render("a\nb") == "<p>a<br>b</p>"
    assert render("a  \nb\\\nc") == "<p>a<br>b<br>c</p>"


def test_html_is_shown_as_text():
    html = render("a <q>b</q> &lt;i&gt;\n\n<div class=x>\n*y*\n</div>")
    assert tags(html) == {"p", "br"}
    assert tree(html).text() == "a <q>b</q> <i><div class=x>*y*</div>"


def test_a_link_opens_in_a_new_tab_and_sends_no_referrer():
    link = only(render('[a](https://example.org/?b=c&d "t")'), "a")
    assert link.attributes == {
        "href": "https://example.org/?b=c&d",
        "title": "t",
        "target": "_blank",
        "rel": "noopener noreferrer nofollow",
    }


@pytest.mark.parametrize(
    "url", ["javascript:x", "data:text/html,x", "/admin/", "#top", "//a.b", "ftp://a.b", "https:a"]
)
def test_a_link_with_an_unsafe_address_is_only_its_text(url):
    assert render(f"[a]({url})") == "<p>a</p>"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://a.b/c_d_e.", "https://a.b/c_d_e"),
        ("(http://a.b/(c))", "http://a.b/(c)"),
        ("https://a.b?c=d&e=f!", "https://a.b?c=d&e=f"),
        ("**https://a.b**", "https://a.b"),
        ("<https://a.b>", "https://a.b"),
        ("<me@a.b>", "mailto:me@a.b"),
    ],
)
def test_an_address_in_the_text_is_a_link(text, address):
    assert only(render(text), "a").attributes["href"] == address


def test_an_address_in_code_or_in_a_link_is_not_linked():
    assert tags(render("`https://a.b`")) == {"p", "code"}
    assert only(render("[https://a.b](https://c.d)"), "a").attributes["href"] == "https://c.d"


def test_an_image_is_a_link_and_is_not_loaded():
    html = render("![a *cat*](https://example.org/cat.png)")
    assert only(html, "a").attributes["href"] == "https://example.org/cat.png"
    assert tree(html).text() == "a cat image on example.org"
    assert "a" not in tags(render("![a](data:image/png;base64,xx)"))


def test_an_image_in_a_link_adds_no_second_link():
    assert only(render("[![a](http://p.q)](https://a.b)"), "a").attributes["href"] == "https://a.b"


def test_a_task_list_shows_what_is_done_and_cannot_be_clicked():
    boxes = [node.attributes for node in tree(render("- [x] a\n- [ ] b")).everything() if node.tag == "input"]
    assert boxes == [
        {"type": "checkbox", "disabled": None, "checked": None, "aria-label": "Done"},
        {"type": "checkbox", "disabled": None, "aria-label": "To do"},
    ]


def test_an_ordered_list_counts_from_where_it_starts():
    assert render("3. a\n4. b") == '<ol start="3"><li>a</li><li>b</li></ol>'


def test_a_loose_list_has_paragraphs():
    assert render("- a\n\n- b") == "<ul><li><p>a</p></li><li><p>b</p></li></ul>"


def test_a_table_scrolls_in_its_own_box_and_aligns_its_columns():
    html = render("|a|b|\n|:-:|-:|\n|1|`|`|\n|2|")
    box = tree(html).elements()[0]
    assert (box.attributes["class"], box.attributes["tabindex"]) == ("table-scroll", "0")
    cells = [(node.tag, node.attributes.get("class")) for node in tree(html).everything() if node.tag in ("th", "td")]
    assert cells == [("th", "center"), ("th", "right")] + [("td", "center"), ("td", "right")] * 2


def test_an_alert_names_its_kind():
    alert = tree(render("> [!WARNING]\n> hot")).elements()[0]
    assert alert.attributes["class"] == "alert alert-warning"
    assert [child.text() for child in alert.elements()] == ["Warning", "hot"]


def test_code_has_coloured_classes_and_a_head_with_its_language():
    html = render('```python\ndef f(): return "<b>"\n```')
    assert only(html, "pre").text() == 'def f(): return "<b>"\n'
    assert {node.attributes.get("class") for node in tree(html).everything() if node.tag == "span"} == {
        "code-language",
        "k",
        "nf",
        "s",
    }
    assert [node.text() for node in tree(html).everything() if node.tag in ("button", "span")][:1] == ["Python"]
    assert "style=" not in html


def test_code_can_be_copied_and_wrapped():
    buttons = [node for node in tree(render("    x")).everything() if node.tag == "button"]
    assert [button.attributes for button in buttons] == [
        {"type": "button", "data-wrap-code": None, "aria-pressed": "false"},
        {"type": "button", "data-copy-code": None},
    ]


def test_a_button_that_somebody_writes_is_text():
    html = render('<button type="button" data-copy-code>Copy</button> \ufdd00\ufdd0 &#xFDD0;0&#xFDD0;\n\n    x')
    assert len([node for node in tree(html).everything() if node.tag == "button"]) == 2
    assert "\ufdd0" not in html


def test_code_is_plain_if_its_language_is_unknown_or_it_is_too_long():
    assert '<span class="code-language">klingon</span>' in render("```klingon\nx = 1\n```")
    long = render(f"```python\n{'x = 1' * LONGEST_COLOURED}\n```")
    assert only(long, "code").elements() == []


def test_colours_and_formulas_end_with_the_time_of_the_message():
    text = "```python\ndef f(): pass\n```\n\n$x^2$ and $$y$$"
    drawn, plain = Renderer().render(text), Renderer(DrawingTime(seconds=0)).render(text)
    assert '<span class="k">def</span>' in drawn
    assert "<msup>" in drawn
    assert "def f(): pass\n</code></pre>" in plain
    assert "<code>x^2</code>" in plain
    assert "<code>y</code>" in plain


def test_drawing_takes_its_time_off_what_is_left():
    time = DrawingTime(seconds=1e-9)
    assert time.draw(lambda: str(sum(range(10_000))), lambda: "plain") != "plain"
    assert time.draw(lambda: "drawn", lambda: "plain") == "plain"


def test_every_kind_of_line_end_ends_a_line():
    assert render("a\r\nb\rc\n\r\nd") == render("a\nb\nc\n\nd")


def test_noncharacters_are_replaced():
    assert render("a\0b\ud800c&#0;") == "<p>a\ufffdb\ufffdc\ufffd</p>"


def test_a_blank_text_renders_as_nothing():
    assert render("") == render(" \n\n") == ""


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# How do I **bake** `bread`?\n\nText", "How do I bake bread?"),
        ("\n\n  hello \t there\nmore", "hello there"),
        ("- [ ] [buy](http://a.b) ![milk](http://c.d)", "buy milk"),
        ("```py\n\nx = 1\ny = 2\n```", "x = 1"),
        ("<b>hi</b> there", "<b>hi</b> there"),
        ("| a | b |\n|---|---|", "a"),
        ("\u202egnp.exe\u0007", "gnp.exe"),
        ("word " * 40, "word word word word word word word word word word word word…"),
        ("x" * 100, "x" * 59 + "…"),
        ("", ""),
        ("***\n\n>", ""),
    ],
)
def test_a_title_is_the_first_line_without_its_marks(text, title):
    assert title_from(text) == title


@pytest.mark.parametrize("start", ["# ", "## Area of ", "- ", "> ", "", "| ", "**", "[", "1. "])
@pytest.mark.parametrize("end", [" #", " ##", "", "**", "](http://x.y)", " |\n|-|", "\n---", "\\"])
def test_a_formula_can_be_the_last_thing_anywhere(start, end):
    assert "<math" in render(f"{start}$x^2${end}")


def test_a_text_that_cannot_be_rendered_is_shown_as_it_is(monkeypatch):
    monkeypatch.setattr("conversations.markdown.writer.Writer.write", lambda self: 1 / 0)
    assert render("a <b>\nc") == '<p class="raw">a &lt;b&gt;<br>c</p>'


def test_an_address_that_no_browser_would_open_is_text():
    assert tags(render(f"[a](http://x.y/{'&' * 9_000})")) == {"p"}
    assert tags(render(f"http://x.y/{'a' * 9_000}")) == {"p"}


def heading_levels(html: str) -> list[int]:
    return [int(level) for level in re.findall(r"<h([1-6])", html)]


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("### a\n\n#### b", [3, 4]),
        ("# a\n\n### b\n\n### c\n\n## d\n\n# e", [3, 4, 4, 4, 3]),
        ("###### a\n\n# b", [3, 3]),
        ("# a\n\n- ### b\n\n  # c\n\n> ## d\n\n## e", [3, 4, 4, 4, 4]),
        ("- ## a\n- # b", [3, 3]),
        ("# a\n\n## b\n\n### c\n\n#### d\n\n##### e\n\n###### f", [3, 4, 5, 6, 6, 6]),
    ],
)
def test_headings_skip_no_level(text: str, levels: list[int]) -> None:
    assert heading_levels(render(text)) == levels
    for size in (1, 3, len(text)):
        growing = StreamingMarkdown()
        for start in range(0, len(text), size):
            growing.feed(text[start : start + size])
        assert heading_levels(growing.html) == levels
