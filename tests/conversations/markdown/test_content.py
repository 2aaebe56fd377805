"""What models and people write beyond Markdown: a few HTML tags, footnotes, scripts without spaces, typed text."""

import pytest

from conversations.markdown import Renderer, StreamingMarkdown, render, title_from
from tests.conversations.markdown.page import tree
from tests.conversations.markdown.test_rendering import only, tags


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("H<sub>2</sub>O<sup>3</sup>", "<p>H<sub>2</sub>O<sup>3</sup></p>"),
        ("a<br>b<br/>c<BR />d", "<p>a<br>b<br>c<br>d</p>"),
        ("Press <kbd>Ctrl</kbd>+<kbd>C</kbd>", "<p>Press <kbd>Ctrl</kbd>+<kbd>C</kbd></p>"),
        ("<B>a</B> <i>b *c*</i>", "<p><b>a</b> <i>b <em>c</em></i></p>"),
        ("the <b> tag", "<p>the &lt;b&gt; tag</p>"),
        ("an end </b> alone", "<p>an end &lt;/b&gt; alone</p>"),
        ("*a<b>x*y</b>", "<p><em>a&lt;b&gt;x</em>y&lt;/b&gt;</p>"),
        ("<b>a\n\nb</b>", "<p>&lt;b&gt;a</p><p>b&lt;/b&gt;</p>"),
        ("<b class=x>a</b>", "<p>&lt;b class=x&gt;a&lt;/b&gt;</p>"),
        ("a <!-- hidden -->b", "<p>a b</p>"),
        ("<!-- hidden -->\n\na", "<p>a</p>"),
        ("`<br>`", "<p><code>&lt;br&gt;</code></p>"),
        ("<script>x</script>", '<p class="raw">&lt;script&gt;x&lt;/script&gt;</p>'),
        ("<!-- open", '<p class="raw">&lt;!-- open</p>'),
    ],
)
def test_a_few_tags_are_drawn_and_all_others_are_shown(text, html):
    assert render(text) == html


def test_a_cell_can_have_lines():
    assert "<td>open<br>close</td>" in render("| a |\n|---|\n| open<br>close |")


@pytest.mark.parametrize(
    "text",
    [
        "<details>\n<summary>More</summary>\n\n**x**\n\n</details>\n\nafter",
        "<details><summary>More</summary>x</details>\n\nafter",
    ],
)
def test_details_hold_what_is_between_their_tags(text):
    html = render(text)
    assert only(html, "summary").text() == "More"
    assert only(html, "details").text() == "Morex"
    assert html.endswith("</details><p>after</p>")


def test_open_tags_do_not_pile_up():
    assert "<b>" not in render("<b>" * 1000 + "x" + "</b>" * 1000)


def test_a_footnote_has_its_mark_and_its_text():
    html = render("Fact[^2] and[^note].\n\n[^2]: Smith 2020\n\n[^note]: More *text*")
    assert tree(html).text() == "Fact2 andnote.2Smith 2020noteMore text"
    assert html.count('<sup class="footnote-mark">2</sup>') == 2


def test_a_mark_without_a_footnote_is_shown_as_written():
    assert render("Fact[^2]. and [^abc]") == "<p>Fact[^2]. and [^abc]</p>"


@pytest.mark.parametrize(
    ("text", "strong"),
    [
        ("**提示：**请注意。", ["提示："]),
        ("注意：**重要。**然后：**这个。**完", ["重要。", "这个。"]),
        ("**提示：**请注意**重点**结束", ["提示：", "重点"]),
        ("请看**「引用」**的部分", ["「引用」"]),
        ("**「ありがとう」**と言った", ["「ありがとう」"]),
        ("값은 **(참)**입니다", ["(참)"]),
        ("| **甲：**乙 | **丙：**丁 |\n|---|---|", ["甲：", "丙："]),
        ("**a:** b and **c**d", ["a:", "c"]),
    ],
)
def test_emphasis_can_touch_letters_of_scripts_without_spaces(text, strong):
    html = render(text)
    assert [node.text() for node in tree(html).everything() if node.tag == "strong"] == strong
    assert "*" not in html
    assert "\u2028" not in html


def test_stars_in_code_stay():
    assert "**提示：**请" in only(render("**甲：**乙 `**提示：**请`"), "code").text()
    assert "a**：**请" in render("**甲：**乙\n\n```\na**：**请\n```")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("见 https://example.com/a，然后继续", "https://example.com/a"),
        ("見https://example.com/a。", "https://example.com/a"),
        ("（https://example.com/a）", "https://example.com/a"),
        ("「https://example.com/a」", "https://example.com/a"),
        ("https://zh.example.org/wiki/中文", "https://zh.example.org/wiki/中文"),
    ],
)
def test_an_address_ends_before_full_width_punctuation(text, address):
    assert only(render(text), "a").text() == address


@pytest.mark.parametrize("text", ["用 Python " + "写" * 80, "这是一个很长的标题" * 20])
def test_a_title_without_spaces_is_cut_near_its_limit(text):
    assert 55 <= len(title_from(text)) <= 60


@pytest.mark.parametrize(
    "text", ["مرحبا", "- שלום\n- a", "1. a\n\n2. سلام", "| a |\n|---|\n| سلام |", "> שלום", "# שלום"]
)
def test_text_from_right_to_left_has_its_own_direction(text):
    html = render(text)
    assert 'dir="auto"' in html
    stream = StreamingMarkdown()
    for letter in text:
        stream.feed(letter)
    assert tree(stream.html).text() == tree(html).text()


def test_text_of_one_direction_says_nothing_about_it():
    assert "dir=" not in render("# a\n\nb 漢字")


@pytest.mark.parametrize(
    "text",
    [
        "# not a heading",
        "__name__ and *args, **kwargs",
        ">>> x = 1\n>>> y",
        "1. one\n1. two",
        "  indented\n\tby a tab\n\n\nand apart",
        "a < b && c > d, <b>x</b> &amp;",
        "$x$ and \\(y\\)",
        "| a | b |\n|---|---|",
        '[a](http://b.c "t") ![x](y)'.replace("http://b.c", "b.c"),
        "---",
    ],
)
def test_a_persons_text_is_shown_as_typed(text):
    html = Renderer().render_typed(text)
    assert tree(html).text() == text
    assert tags(html) == {"p"}


def test_a_persons_code_and_links_are_drawn():
    html = Renderer().render_typed("Run `ls *`:\n\n```python\ndef f(): pass\n```\nsee https://a.b/c.\n")
    assert only(html, "a").attributes["href"] == "https://a.b/c"
    assert '<span class="k">def</span>' in html
    assert "<code>ls *</code>" in html
    assert "```" not in html


def test_an_open_block_of_a_persons_code_ends_with_the_text():
    assert only(Renderer().render_typed("look:\n~~~\na\n\nb"), "pre").text() == "a\n\nb"


def test_a_persons_blank_text_is_nothing():
    assert Renderer().render_typed(" \n\n ") == ""
