r"""LaTeX as MathML. What cannot be drawn as it is meant is shown as its source."""

import re
from functools import lru_cache, partial
from typing import Final

from math_core import LatexToMathML

from conversations.markdown import sanitise
from conversations.markdown.drawing_time import DrawingTime
from conversations.markdown.sanitise import SEPARATOR, escape, escape_attribute, split_words

LONGEST: Final = 1000
"""Characters of a formula; a longer one is shown as its source."""

# The converter numbers the lines of other environments, or does not know them.
_ENVIRONMENTS: Final = {
    **dict.fromkeys(("align", "alignat", "alignat*", "eqnarray", "eqnarray*", "flalign", "flalign*"), "align*"),
    **{"gather": "gather*", "equation": "equation*", "multline": "multline*"},
    **{"alignedat": "aligned", "split": "aligned", "smallmatrix": "matrix"},
}
_ENVIRONMENT = re.compile(r"\\(begin|end)\{([a-z]+\*?)\}((?<=at\})\{[0-9]{1,2}\}|(?<=at\*\})\{[0-9]{1,2}\})?")
_LABEL = re.compile(r"\\label\{[^{}]*\}")
_ROW_SPACE = re.compile(r"(?<=\\\\)\*?[ \t]*\[ *-?[0-9.]+ *[a-z]{2} *\]")
_NUMBERED = re.compile(r"\\begin\{(?:align|gather|equation|multline)\*\}")
_STYLE = re.compile(r'(?<= )style="([^"]*)"')
_COLOUR = re.compile(r"color:(#[0-9A-Fa-f]{6});?")

_OPENERS: Final = split_words(
    "{ lang langle lAngle lBrace lbrace lBrack lbrack llbracket lbracket lceil lfloor llangle llcorner ulcorner "
    "llparenthesis lvert lVert lgroup lmoustache lparen Lbrbrak lBracket"
)
_CLOSERS: Final = {f"r{opener[1:]}" for opener in _OPENERS} | split_words("} lrcorner urcorner")
_BOUNDARIES: Final = split_words("begin end left right middle \\")
_BRACKET = re.compile(r"\\([A-Za-z]+|.)|[{}()\[\]]", re.DOTALL)
_MOST_OPEN_BRACKETS: Final = 8

_converter = LatexToMathML(macros={"mbox": r"\text{#1}"}, max_expansions=50, fancy_error=False)


def render_formula(latex: str, time: DrawingTime, *, display: bool) -> str:
    """Returns a formula as sanitised MathML, or its source as code if it cannot be drawn, or not in time."""
    return time.draw(partial(_draw, latex, display), partial(_render_source, latex))


@lru_cache(maxsize=512)
def _draw(latex: str, display: bool) -> str:
    drawn = _convert(latex.replace(SEPARATOR, ""), display) if len(latex) <= LONGEST else ""
    if not drawn:
        return _render_source(latex)
    return f'<span class="math">{drawn}</span>' if display else drawn


def _render_source(latex: str) -> str:
    return f"<code>{escape(latex.strip())}</code>"


def _convert(latex: str, display: bool) -> str:
    if _count_open_brackets(latex) > _MOST_OPEN_BRACKETS:
        return ""
    prepared = _ENVIRONMENT.sub(_rename_environment, _ROW_SPACE.sub("", _LABEL.sub("", latex)))
    if "\\tag" in prepared and not _NUMBERED.search(prepared):
        prepared = f"\\begin{{equation*}}{prepared}\\end{{equation*}}"
    try:
        drawn = _converter.convert_with_local_state(prepared, displaystyle=display)
    except Exception:  # The library raises its own errors, which are not the only ones of native code.
        return ""
    # A wide formula scrolls, by keyboard too.
    kind = 'block" tabindex="0' if display else "inline"
    drawn = drawn.replace(' display="block"', "", 1)
    source = escape_attribute(latex.strip())
    drawn = drawn.replace("<math", f'<math display="{kind}" alttext="{source}"', 1)
    return sanitise.math.clean(_STYLE.sub(_replace_style, drawn))


def _rename_environment(found: re.Match[str]) -> str:
    name = _ENVIRONMENTS.get(found[2])
    return f"\\{found[1]}{{{name}}}" if name else found[0]


def _replace_style(found: re.Match[str]) -> str:
    """Returns classes in place of inline styles, which the site's policy forbids, and the attribute for a colour."""
    style = found[1]
    if colour := _COLOUR.search(style):
        return f'mathcolor="{colour[1]}"'
    return f'class="{" ".join(_name_class(declaration) for declaration in style.split(";") if declaration.strip())}"'


def _name_class(declaration: str) -> str:
    return "m-" + re.sub(r"[^a-z0-9]+", "-", declaration.lower()).strip("-")


def _count_open_brackets(latex: str) -> int:
    """Counts the brackets that are not closed in their own group. Each doubles the time of the converter."""
    count, groups = 0, [0]
    for found in _BRACKET.finditer(latex):
        mark, name = found[0], found[1]
        if mark == "{":
            groups.append(0)
        elif mark == "}":
            count += groups.pop()
            groups = groups or [0]
        elif mark in "([" or name in _OPENERS:
            groups[-1] += 1
        elif mark in ")]" or name in _CLOSERS:
            groups[-1] = max(groups[-1] - 1, 0)
        elif name in _BOUNDARIES:
            count, groups[-1] = count + groups[-1], 0
    return count + sum(groups)
