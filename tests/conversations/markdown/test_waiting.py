r"""The source of a link or formula does not flash while it is written, and nothing else waits for long."""

import re

import pytest

from conversations.markdown import StreamingMarkdown, render
from tests.conversations.markdown.page import tree

LINKS = [
    "see [the page](https://a.b/c) now",
    "see [the page](https://a.b/c_(d)/e) now",
    'see [the page](https://a.b/c "Its title") now',
    "see [the page](https://a.b/c 'Its title'), or",
    "see [the page](<https://a.b/c>) now",
    "see [a [nested] text](https://a.b) now",
    "see [`a[0]`](https://a.b) and **[b](https://c.d)**",
    "see [two\nlines](https://a.b) now",
    "see ![an image](https://a.b/c.png) and [![x](https://a.b/c.png)](https://d.e) now",
    "- one\n- [two](https://a.b/c) and [three](https://a.b)\n- four `x\n- [five](https://a.b)",
    "> a quote with [a link](https://a.b/c)\n> in it",
    "| a | b |\n|---|---|\n| [x](https://a.b) | y |\n| z | [w](https://a.b/c) |",
    "## A heading with [a link](https://a.b)\n\nand words",
]
FORMULAS = [
    r"so $x^2 + y^2 = z^2$ holds",
    r"so $x$, $\alpha$ and $f(x) = \text{the value of it}$ hold",
    r"so \(x^2 + \frac{1}{2}\) holds and \(y\) too",
    r"- one \(a*b*c\)" + "\n" + r"- two $\frac{a}{b}$ and so on",
    "so\n\\[\nx^2 \\\\[4pt]\n= y\n\\]\nholds",
    "so\n\n$$\nx^2\n= y\n$$\n\nholds",
    "$$x^2 = y$$\n\nholds",
    "so\n\n\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}\n\nholds",
    r"> a quote with \(x^2\) in it",
    "| a | b |\n|---|---|\n| \\(x^2\\) | $y_1$ |\n",
    r"$2x^2$ and $-x_1$ and $|x|_1$",
]
PLAIN = [
    "It costs $5 or $10, not $7.50 as before, and $1,000 a year",
    "set $HOME to the path of $USER, then go on with it as before",
    "call f(a)[0] and a[i](x, y) or [1] and {b} and <c>",
    "a file in C:\\temp\\new and a pipe \\| of it and 50\\% of them",
    "`a[0](x` and `$x` and `\\(` are code",
    "    x = a[0](y, $z, \\(\n    y = $x + \\[\n",
    "```sh\necho $x_1 \\(a\\) [b](c\n```\n",
    "- ```sh\n  echo $x_1 \\( \\[ $$ [b](c\n  ls\n  ```\n",
]
RAW = re.compile(r"\]\(|\\\(|\\\[|\\[a-z]+|\$\$|\$[a-z\\]|[a-z]\^|[a-z]_[0-9{]|https?:")
LONGEST_WAIT = 1000


def words_of(html: str) -> str:
    """Returns the words that the HTML shows. A formula shows none of its source."""
    return tree(re.sub(r"<math.*?</math>", "", html)).text()


def shown_at_each_prefix(text: str) -> list[str]:
    stream = StreamingMarkdown()
    shown = []
    for letter in text:
        stream.feed(letter)
        shown.append(words_of(stream.html))
    return shown


@pytest.mark.parametrize("text", LINKS + FORMULAS)
def test_the_source_of_a_link_or_formula_never_flashes(text: str) -> None:
    assert not RAW.search(words_of(render(text)))
    assert [shown for shown in shown_at_each_prefix(text) if RAW.search(shown)] == []


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_prices_and_code_do_not_wait(text: str) -> None:
    for end, shown in enumerate(shown_at_each_prefix(text), 1):
        missing = len(re.sub(r"[^\w]", "", text[:end])) - len(re.sub(r"[^\w]", "", shown))
        # The names of languages, and fences that may still be words, are not shown.
        assert missing <= 4, (text[:end], shown)


@pytest.mark.parametrize("opener", ["\\(", "\\[", "$", "$$", "\\begin{align}", "- \\[", "> $"])
def test_what_is_never_closed_waits_within_bounds(opener: str) -> None:
    text = f"Words {opener}" if opener[0] not in "->" else opener
    text += "x+" * LONGEST_WAIT
    shown = shown_at_each_prefix(text)
    assert all(len(words) >= end - LONGEST_WAIT - 20 for end, words in enumerate(shown))
    assert words_of(render(text)) == shown[-1]


def test_a_new_block_ends_the_wait() -> None:
    for text in ("so \\[ x\n\nand on", "so $x\n\nand on", "- \\[ x\n- and on", "- $x\n- and on"):
        assert shown_at_each_prefix(text)[-1].endswith("and on")
