"""Formulas: how they are written, how they are drawn, and what is not one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.markdown import latex, render
from conversations.markdown.latex import LONGEST
from tests.conversations.markdown.page import tree
from tests.conversations.markdown.test_rendering import only, tags


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("$x^2$", "inline"),
        (r"\(x^2\)", "inline"),
        ("$$x^2$$", "block"),
        ("\\[\nx^2\n\\]", "block"),
        ("> \\[\n> x^2\n> \\]", "block"),
        (r"- a: \( x^2 \)", "inline"),
        (r"|a|" "\n|-|\n" r"|\(x^2\)|", "inline"),
    ],
)
def test_a_formula_is_mathml(text, display):
    formula = only(render(text), "math")
    assert formula.attributes["display"] == display
    assert [node.tag for node in formula.everything()][-3:] == ["msup", "mi", "mn"]


def test_marks_in_formulas_are_not_markdown():
    html = render(r"\(a*b\) and \(c*d\), then \({x}_{1} + {y}_{2}\)")
    assert "em" not in tags(html)
    assert html.count("<math") == 3


@pytest.mark.parametrize(
    "text",
    [
        "from $5 to $6",
        "$5/$10",
        "US$7-$8",
        "$HOME/$USER",
        r"\[not math\] here",
        r"`\(x\)`",
        r"\\(x\\)",
        r"\(x",
        r"\(\)",
    ],
)
def test_prices_and_brackets_are_not_formulas(text):
    assert "math" not in tags(render(text))


def test_a_formula_that_cannot_be_converted_shows_its_source():
    assert render(r"$\left($") == r"<p><code>\left(</code></p>"
    assert only(render(f"${'x+' * LONGEST}y$"), "code").text().startswith("x+x+")


def test_aligned_formulas_are_a_table():
    assert "mtable" in tags(render("$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$"))


@pytest.mark.parametrize(
    "text",
    [
        r"The area is \[ A = \pi r^2 \] where r is the radius.",
        r"- so \[ a = b \] holds",
        "|a|\n|-|\n" r"|\[ a = b \]|",
        "Let\n\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}\nend",
        r"\begin{equation*}a = b\end{equation*}",
        "> \\begin{gather}\n> a \\\\\n> b\n> \\end{gather}",
    ],
)
def test_a_formula_of_its_own_can_be_anywhere(text):
    assert only(render(text), "math").attributes["display"] == "block"


@pytest.mark.parametrize("after", ["为整数", "は整数", "는", "ที่"])
def test_a_formula_can_touch_letters_of_scripts_without_spaces(after):
    html = render(f"设$x${after}")
    assert only(html, "math").text() == "x"
    assert html.endswith(f"{after}</p>")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**$50** and **$60** a month", "<strong>$50</strong> and <strong>$60</strong> a month"),
        ("*$5* to *$6* and `$7`", "<em>$5</em> to <em>$6</em> and <code>$7</code>"),
        (
            "$5 [a](http://b.c) $6",
            '$5 <a href="http://b.c" target="_blank" rel="noopener noreferrer nofollow">a</a> $6',
        ),
        ("between $5 and 10$.", "between $5 and 10$."),
        ("$1/$2/$3/$4/$5/$6", "$1/$2/$3/$4/$5/$6"),
    ],
)
def test_what_is_between_prices_is_markdown(text, html):
    assert render(text) == f"<p>{html}</p>"


def test_a_formula_after_prices_is_drawn():
    html = render("from $5 to $6, so $x_1$ is it")
    assert only(html, "math").text() == "x1"
    assert "from $5 to $6, so" in html


@pytest.mark.parametrize(
    "source",
    [
        r"\ce{2H2 + O2 -> 2H2O}",
        r"\SI{3}{m}",
        r"\unknown x",
        r"\href{http://a}{b}",
        r"\includegraphics{a}",
        r"a \\ \hline",
    ],
)
def test_what_the_converter_does_not_know_is_shown_as_its_source(source):
    assert only(render(f"${source}$"), "code").text() == source


@pytest.mark.parametrize(
    "source",
    [
        r"\cancel{x}",
        r"\boxed{42}",
        r"\xrightarrow{f}",
        r"\mathop{lim}",
        r"a = b \tag{1}",
        r"a = \begin{pmatrix} 1 & 2 \end{pmatrix} \tag{1}",
        r"\begin{align} a &= b \tag{1} \end{align}",
        r"\label{one} a",
        r"\mbox{a b}",
        r"\operatorname*{argmin}_x",
        *(
            rf"\begin{{{name}}}a &= b \\ c &= d\end{{{name.partition('}')[0]}}}"
            for name in ("align", "aligned", "alignat}{2", "alignedat}{2", "dcases", "split", "eqnarray", "matrix")
        ),
        *(rf"\begin{{{name}}}a \\ b\end{{{name}}}" for name in ("multline", "gather", "gathered", "smallmatrix")),
    ],
)
def test_what_models_write_is_drawn(source):
    html = render(f"$${source}$$")
    assert "math" in tags(html)
    assert "code" not in tags(html)


def test_the_space_after_a_row_is_not_part_of_the_next():
    formula = only(render(r"$$\begin{aligned} a &= b \\[4pt] c &= d \\ [x] &= e \end{aligned}$$"), "math")
    assert formula.text() == "a=bc=d[x]=e"


def test_lines_of_a_formula_have_no_numbers():
    assert only(render(r"$$\begin{align} a &= b \\ c &= d \end{align}$$"), "math").text() == "a=bc=d"


def test_a_formula_has_classes_instead_of_styles():
    html = render(r"$\begin{array}{l|r} a & b \\ \hline c & d \end{array} \color{red}{x}$")
    assert "style=" not in html.replace("displaystyle=", "")
    assert "m-text-align-left" in html
    assert "m-border-right-0-05em-solid-currentcolor" in html
    assert 'mathcolor="#FF0000"' in html


def test_a_formula_says_its_source():
    assert only(render('$a < b \\text{"c"}$'), "math").attributes["alttext"] == 'a < b \\text{"c"}'


@pytest.mark.parametrize(
    "opener", ["(", "[", r"\{", r"\langle ", r"\lvert", r"\lgroup\lfloor", "{(}", r"(a \\ b", "{)}("]
)
def test_open_brackets_do_not_hold_up_the_converter(opener):
    """Each doubles its time, so 60 of them would not finish."""
    latex._draw.cache_clear()
    assert "code" in tags(render(f"${(opener * 60).strip()}$"))


@given(st.text(r"\{}()[]&$^_abc1 ").map(lambda text: text.replace("$", "")))
def test_any_formula_is_drawn_or_shown(text):
    html = latex._draw(text, display=True)
    assert html.startswith(("<code>", '<span class="math"><math '))
    tree(html)


@pytest.mark.parametrize("code", ["```py\n\\(a*b\\)\n```\n", "    \\(a*b\\)\n", "- ```\n  \\(a*b\\)\n  ```\n"])
def test_code_has_no_formulas(code: str) -> None:
    assert "\\(a*b\\)" in re.sub("<[^>]*>", "", render(code))
