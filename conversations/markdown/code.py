"""Blocks of code: a head with the language and its controls, and colours as Pygments classes."""

from functools import cache, lru_cache
from itertools import batched
from threading import Lock
from time import thread_time
from typing import Final

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.lexers._mapping import LEXERS
from pygments.token import STANDARD_TYPES, _TokenType

from conversations.markdown import lexing, sanitise
from conversations.markdown.sanitise import COLOURS, escape, words

COLOURED_UP_TO: Final = 20_000
"""Characters; colouring costs about a microsecond each, on the loop that serves everybody."""
_LONGEST_LINE: Final = 500
_MOST_EMPTY_LINES: Final = 50
_SECONDS, _SECONDS_EACH = 0.1, 1e-5
"""What colouring may take at most, and for each character: some lexers are quadratic in what nobody writes."""

# Only lexers of wide use: a lexer's regular expressions run over whatever anybody posts.
_COLOURED: Final = words(
    "apacheconf bash bat c clojure cmake console cpp csharp css dart diff docker elixir erlang fortran fsharp go "
    "graphql groovy haskell hcl html http ini java javascript json jsx julia kotlin latex less llvm lua make "
    "markdown matlab mysql nasm nginx nix objective-c ocaml perl php postgresql powershell protobuf pycon python r rst "
    "ruby rust sass scala scheme scss sql swift systemverilog tex toml tsx typescript vb.net verilog vim vue xml yaml "
    "zig html+django html+jinja common-lisp terraform"
)
_HEAD = (
    '<div class="code"><div class="code-head"><span class="code-language">{language}</span>'
    '<button type="button" data-wrap-code aria-pressed="false">Wrap</button>'
    '<button type="button" data-copy-code>Copy</button></div><pre class="highlight" tabindex="0"><code>'
)
FOOT: Final = "</code></pre></div>"


def head(info: str) -> str:
    """Everything of a block of code before its first character; FOOT is what comes after the last."""
    return _HEAD.format(language=escape(_named(_word(info))))


def block(info: str, source: str) -> str:
    """A block of code, coloured if its language is known and its size allows."""
    return head(info) + coloured(_word(info), source) + FOOT


def growing_block(info: str, source: str) -> str:
    """A block of code that will be longer soon, and is not worth colouring yet."""
    return head(info) + escape(source) + FOOT


@lru_cache(maxsize=128)
def coloured(language: str, source: str) -> str:
    """The content of a block of code: escaped text and spans with a Pygments class, nothing else."""
    if not _is_colourable(source) or (lexer := _lexer(language)) is None:
        return escape(source)
    tokens = _tokens(lexer, source)
    if "".join(text for _, text in tokens) != source:
        return escape(source)
    return sanitise.code.clean("".join(_spans(tokens)))


def _is_colourable(source: str) -> bool:
    return (
        len(source) <= COLOURED_UP_TO
        and "\n" * _MOST_EMPTY_LINES not in source
        and all(len(line) <= _LONGEST_LINE for line in source.split("\n"))
    )


def _tokens(lexer: Lexer, source: str) -> list[tuple[_TokenType, str]]:
    """The tokens of a source; not all of them if they take too long."""
    tokens: list[tuple[_TokenType, str]] = []
    end = thread_time() + _SECONDS + _SECONDS_EACH * len(source)
    for some in batched(lexing.tokens(lexer, source), 64):
        tokens += some
        if thread_time() > end:
            break
    return tokens


def _spans(tokens: list[tuple[_TokenType, str]]) -> list[str]:
    pieces: list[str] = []
    for kind, text in tokens:
        if colour := _colour(kind):
            pieces += f'<span class="{colour}">', escape(text), "</span>"
        else:
            pieces.append(escape(text))
    return pieces


@cache
def _colour(kind: _TokenType) -> str:
    """The nearest class in use on the way up from a kind of token, or nothing for plain text."""
    for step in reversed(kind.split()):
        name: str = STANDARD_TYPES.get(step, "")
        if (name := _ALIKE.get(name, name)) in COLOURS:
            return name
    return ""


# Classes that share the colour of another.
_ALIKE = {"no": "nv", "ne": "nc", "nn": "nc", "ni": "se", "si": "se", "kc": "m", "gu": "gh", "ow": "k", "cp": "nd"}


@cache
def _aliases() -> dict[str, tuple[str, str]]:
    """Every name of a language: how people write it, and the name its lexer is kept under."""
    return {alias: (lexer[1], lexer[2][0]) for lexer in LEXERS.values() for alias in lexer[2]}


@cache
def _coloured_aliases() -> frozenset[str]:
    known = _aliases()
    return frozenset(known[alias][1] for alias in _COLOURED if alias in known)


_loading = Lock()


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    _, alias = _aliases().get(language, ("", ""))
    if alias not in _coloured_aliases():
        return None
    # Pygments puts a lexer together when it is first used, and two threads that do so at once spoil it.
    with _loading:
        return get_lexer_by_name(alias, stripnl=False, ensurenl=False)


def _word(info: str) -> str:
    words = info.split(maxsplit=1)
    return words[0].strip("{}.").lower()[:40] if words else ""


def _named(language: str) -> str:
    return _aliases().get(language, (language, ""))[0] or "Text"
