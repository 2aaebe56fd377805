"""A lexer that tries fewer rules finds the same tokens as Pygments, whose private parts it uses."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygments.lexer import Lexer

from conversations.markdown import code
from conversations.markdown.lexing import lex

ROOT = Path(__file__).parents[3]
FILES = ("conversations/markdown/code.py", "static/js/composer.js", "static/css/composer.css", "templates/base.html")
SOURCES = [(ROOT / name).read_text()[:2500] for name in (*FILES, "README.md", "pyproject.toml", "Makefile")] + [
    'package main\n\nimport "fmt"\n\nfunc main() {\n\tfor i := 0; i < 10; i++ {\n\t\tfmt.Printf(`%d`, i)\n\t}\n}\n',
    "SELECT a, COUNT(*) FROM b WHERE c = 'd' AND e >= 1.5 -- why\nGROUP BY a;\nselect Straße from ſelect;\n",
    'fn main() -> Result<(), Box<dyn Error>> {\n    let x: &str = r#"y"#; // z\n    println!("{x:?}");\n}\n',
    "public class A<T> extends B {\n  @Override public int c() { return 0x1F + 'd'; } /* e */\n}\n",
    'if [ -n "$x" ]; then\n  for f in *.py; do echo "${f%.py}" | sed \'s/a/b/\'; done <<EOF\n text\nEOF\nfi\n',
]
LANGUAGES = sorted(code.load_coloured_aliases())
PIECES = [
    *"abifS_019 .,;:+-*/%=<>!?&|^~@#$()[]{}'\"`\\\n\t",
    *("K", "ſ", "é", "日", "\u2028", "\x85", "if", "def ", "class ", "END", "select", "0x", "1.5e", "//", "/*", "*/"),
    *(
        '"""',
        "<!--",
        "-->",
        "<a ",
        "</",
        "{{",
        "{%",
        "%}",
        "${",
        "$(",
        "=>",
        "::",
        "#!",
        "--",
        "<<EOF\n",
        "\n\n",
        "    ",
    ),
]


def assert_same(lexer: Lexer, source: str) -> None:
    """Asserts that both find the same tokens. Pygments also finds empty ones at the end of some texts."""
    found, expected = list(lex(lexer, source)), list(lexer.get_tokens(source))
    assert [token for token in found if token[1]] == [token for token in expected if token[1]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_finds_the_tokens_that_pygments_finds(language):
    lexer = code.load_lexer(language)
    for source in SOURCES:
        assert_same(lexer, source)


@settings(max_examples=800, deadline=None)
@given(st.sampled_from(LANGUAGES), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_it_finds_the_same_tokens_in_nonsense(language, source):
    lexer = code.load_lexer(language)
    assert_same(lexer, source)
