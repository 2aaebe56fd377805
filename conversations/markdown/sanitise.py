"""The second wall after escaping: an allow-list each for rendered text, code and formulas.

Our own controls are on none of them. The writer inserts these, and code and formulas, into text that is clean already.
"""

import re

import nh3


def split_words(text: str) -> set[str]:
    return set(text.split())


ALERTS = ("note", "tip", "important", "warning", "caution")
COLOURS = split_words("c gd gh gi k kt m na nb nc nd nf nt nv o s se")
"""The Pygments classes in use. static/css/code.css has a rule for each."""

FORMULA_CLASSES = split_words(
    "m-text-align-left m-text-align-right m-padding-left-0 m-padding-right-0 m-padding-left-0-1em m-padding-left-1em "
    "m-padding-right-0-1em m-padding-top-0 m-padding-bottom-0 m-padding-top-0-1667em m-margin-left-0-16666667em "
    "m-width-7-5 m-width-50 m-width-100 "
    "m-border-left-0-05em-solid-currentcolor m-border-left-0-05em-dashed-currentcolor "
    "m-border-right-0-05em-solid-currentcolor m-border-right-0-05em-dashed-currentcolor "
    "m-border-top-0-05em-solid-currentcolor m-border-top-0-05em-dashed-currentcolor "
    "menclose-updiagonalstrike menclose-downdiagonalstrike menclose-horizontalstrike"
)
"""The styles of a formula, each a class. static/css/formulas.css has a rule for each."""

_CELLS = {"center", "right"}

body = nh3.Cleaner(
    tags=split_words(
        "a b blockquote br code del details div em h3 h4 h5 h6 hr i kbd li mark ol p s small span strong sub "
        "summary sup table tbody td th thead tr u ul"
    ),
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    tag_attribute_values={
        "div": {"role": {"group", "note"}, "tabindex": {"0"}, "aria-label": {"Table"}},
        "th": {"scope": {"col"}},
    },
    allowed_classes={
        "a": {"image"},
        "span": {"image"},
        "li": {"task"},
        "div": {"table-scroll", "footnote", "alert", *(f"alert-{kind}" for kind in ALERTS)},
        "p": {"alert-title", "raw", "typed"},
        **dict.fromkeys(("h3", "h4"), {"size-1", "size-2"}),
        "sup": {"footnote-mark"},
        "th": _CELLS,
        "td": _CELLS,
    },
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)

code = nh3.Cleaner(tags={"span"}, attributes={}, allowed_classes={"span": COLOURS}, url_schemes=set())

math = nh3.Cleaner(
    tags=split_words(
        "math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt "
        "mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none b code em i s u"
    ),
    attributes={
        "math": {"alttext", "tabindex"},
        "*": split_words(
            "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form frame "
            "height largeop linebreak linethickness lspace mathcolor mathsize mathvariant maxsize minsize "
            "movablelimits notation rowlines rowspacing rspace scriptlevel separator stretchy symmetric voffset "
            "width"
        ),
    },
    allowed_classes=dict.fromkeys(("mtable", "mtd", "mrow", "mspace", "mpadded"), FORMULA_CLASSES),
    url_schemes=set(),
)

_STAND_INS = (
    ("&", "\ufdd1", "&amp;"),
    ("<", "\ufdd2", "&lt;"),
    (">", "\ufdd3", "&gt;"),
    ("\xa0", "\ufdd4", "&nbsp;"),
)

SEPARATOR = "\u2028"
"""What separates emphasis from text for the parser alone. It counts as a space, and no text contains it."""

_UNFIT = re.compile("[\r\0\u2028\u2029\ufdd0-\ufdef\ud800-\udfff]")
_LINE_END = re.compile("\r\n?|[\u2028\u2029]")
_UNFIT_CHARACTER = re.compile("[\0\ufdd0-\ufdef\ud800-\udfff]")


def normalise(text: str) -> str:
    """Ends all lines with \\n, and replaces NUL, lone surrogates and noncharacters by U+FFFD."""
    if not _UNFIT.search(text):
        return text
    return _UNFIT_CHARACTER.sub("\ufffd", _LINE_END.sub("\n", text))


def escape(text: str) -> str:
    """Returns text for an element's content, spelled as the sanitiser spells it."""
    return unmask(mask(text))


def mask(text: str) -> str:
    """Returns text for an element's content that is still to be cleaned, with stand-ins for what HTML escapes.

    The sanitiser takes quadratic time for many character references in one text. It sees none of ours: the stand-ins
    are noncharacters, and cleaning turns them into references.
    """
    if not text.isascii():
        # Character references can spell what `normalise` replaced, and our own noncharacters must be ours alone.
        text = _UNFIT_CHARACTER.sub("\ufffd", text.replace(SEPARATOR, ""))
    for character, stand_in, _ in _STAND_INS:
        if character in text:
            text = text.replace(character, stand_in)
    return text


def unmask(html: str) -> str:
    for _, stand_in, reference in _STAND_INS:
        if stand_in in html:
            html = html.replace(stand_in, reference)
    return html


def clean_body(html: str) -> str:
    """Sanitises rendered text, whose own text is masked."""
    return unmask(body.clean(html))


def clean_code(html: str) -> str:
    """Sanitises coloured code, whose own text is masked."""
    return unmask(code.clean(html))


def escape_attribute(text: str) -> str:
    """Returns text for an attribute in double quotes."""
    return escape(text).replace('"', "&quot;")
