"""Texts for property tests of Markdown, most of them odd, and ways to cut them."""

from collections.abc import Sequence

from hypothesis import strategies as st

INLINE = [
    *("text", "and more", "**bold**", "*it*", "**open", "`code`", "`open", "[a](http://a.b)", "[a](http://", "<b>"),
    *("![i](http://p)", "https://x.y/z_a", "$x^2$", r"\(a*b\)", "&amp;", r"\*", "é", "日本", "\u2028", "~~s~~", "|"),
    *("_", "2.", "- ", "#"),
]
LINES = [
    *(
        "",
        "",
        "text",
        "===",
        "---",
        "***",
        "- a",
        "- b",
        "  c",
        "  - d",
        "    e",
        "* f",
        "+ g",
        "1. h",
        "2. i",
        "10) j",
    ),
    *("-", "1.", "- [ ] k", "- [x] l", "> m", "> - n", "> [!NOTE]", "# o", "## p", "| q | r |", "|---|:-:|"),
    *("| 1 | 2 |", "| 3", "```py", "```", "~~~", "   ```", "- ```", "  ```", "x = 1", "<div>", "</div>", "<!--", "-->"),
    *("\tt", "   ", r"\[", r"\]", "$$", "> ```"),
]

lines = st.lists(
    st.one_of(
        st.sampled_from(LINES),
        st.builds(str.__add__, st.sampled_from(LINES), st.sampled_from(INLINE)),
        st.lists(st.sampled_from(INLINE), min_size=1, max_size=4).map(" ".join),
    ),
    max_size=14,
)
texts = st.builds(lambda lines, end: end.join(lines), lines, st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n"]))
"""Lines of all kinds in any order."""

WORDS = ["word", "a", "Some", "and", "7", "3.5", "don't", "(see", "this)", "and/or", "C#", "x=1", "né", "日本", "🙂"]
MARKED = [
    *("**bold**", "**two words**", "*it*", "*it is*", "`code`", "`two + words`", "`a|b`", "**a `b` c**", "*a `b`*"),
    *("**bold**,", "`code`.", "(**b**)", "(`c`)", "**a.**", "*a*b", "**a**b", "`a`b", "``a`b``", "***x***", "__u__"),
    *("_v_", "[text](http://a.b)", "[two words](http://a.b/c_d)", "**[a](http://b)**", "[**a**](http://b)"),
    *("[`a`](http://b)", "![i](http://p)", "https://a.b/c.", "$x$", r"\(x\)", "~~gone~~", "<b>"),
]
TROUBLE = [
    *(
        "`",
        "*",
        "**",
        "_",
        "[",
        "]",
        "](",
        "!",
        "|",
        "<",
        "->",
        "a<b",
        "$5",
        "\\*",
        "\\",
        "&amp;",
        "AT&T",
        "snake_case",
    ),
    *("http:", "http://x/", "[1]", "“q”", "…", ":", "-", "1.", "#", "\u00a0", "\u2028", "50%"),
]
inline = st.one_of(*map(st.sampled_from, (WORDS, WORDS, WORDS, MARKED, MARKED, TROUBLE)))
sentences = st.lists(st.tuples(inline, st.sampled_from(["", " ", " ", " ", "  "])), min_size=1, max_size=8).map(
    lambda words: "".join(word + gap for word, gap in words)
)
rows = st.lists(sentences, min_size=1, max_size=4).map(lambda cells: f"| {' | '.join(cells)} |")


def some(of: st.SearchStrategy[str], form: str, end: str = "\n") -> st.SearchStrategy[str]:
    """Makes a few of a kind, each in this form."""
    return st.lists(of, min_size=1, max_size=4).map(lambda parts: end.join(form.replace("@", part) for part in parts))


blocks = st.one_of(
    *[some(sentences, "@")] * 4,
    *(some(sentences, form) for form in ("- @", "* @", "> @", "- [ ] @", "- a\n  - @", "# @", "<div>\n@")),
    some(sentences, "1. @", "\n\n"),
    some(rows, "@").map("| a | b | c |\n|---|:-:|--:|\n".__add__),
    some(rows, "  @").map("- x\n\n  |a|b|\n  |-|-|\n".__add__),
    *(sentences.map(form.__mod__) for form in ("```py\n%s\n```", "- ```\n  %s\n  ```", "    %s")),
)
answers = st.builds(
    lambda end, blocks: end.join(blocks)[:900], st.sampled_from(["\n\n", "\n"]), st.lists(blocks, max_size=4)
)
"""Paragraphs, lists and tables of sentences as models write them, with more marks and worse ones."""

LEADS = ["", "", "- ", "1. ", "> ", "## ", "- a\n- ", "- a\n\n  "]
long_blocks = st.builds(
    lambda lead, words, end: lead + "Words that take room. " * words + end,
    st.sampled_from([*LEADS, "<div>\n", "| a | b |\n|---|---|\n| "]),
    st.integers(45, 400),
    answers,
)
"""Blocks of 1,000 to 9,000 characters before their marked end."""

marks = st.sampled_from([*WORDS, "**bold**", "**two words**", "`code`", "`two words`", "[two words](http://a.b/c)"])
marked_blocks = st.builds(
    lambda lead, words, end: lead + " ".join((words * 200)[:end]),
    st.sampled_from(LEADS),
    st.lists(marks, min_size=5, max_size=40),
    st.integers(100, 700),
)
"""Blocks of 500 to 7,000 characters with marks that are all complete."""

cuts = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def pieces(text: str, lengths: Sequence[int]) -> list[str]:
    """Cuts a text into pieces of these lengths, repeated as needed."""
    cut, at = [], 0
    while at < len(text):
        length = lengths[len(cut) % len(lengths)]
        cut.append(text[at : at + length])
        at += length
    return cut
