"""Blocks of code: a head with the language and its controls, and colours as Pygments classes."""

from functools import cache, lru_cache, partial
from itertools import batched
from threading import Lock
from time import thread_time
from typing import Final

from pygments.lexer import Lexer
from pygments.lexers import get_all_lexers, get_lexer_by_name
from pygments.token import STANDARD_TYPES

from conversations.markdown import sanitise
from conversations.markdown.drawing_time import DrawingTime
from conversations.markdown.lexing import Token, TokenType, lex
from conversations.markdown.sanitise import COLOURS, escape, mask, split_words

LONGEST_COLOURED: Final = 20_000
"""Characters. Colouring costs about half a microsecond each, on the event loop that serves everybody."""
_LONGEST_LINE: Final = 500
_MOST_EMPTY_LINES: Final = 50
# Some lexers take quadratic time on sources that nobody writes by accident.
_MOST_SECONDS, _MOST_SECONDS_PER_CHARACTER = 0.1, 1e-5

# Only widely used languages, because a lexer's regular expressions run over anything that anybody posts.
_COLOURED: Final = split_words(
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


def render_head(info: str) -> str:
    """Returns the HTML of a block of code up to its first character. FOOT follows the last one."""
    return _HEAD.format(language=escape(_name_language(_find_language(info))))


def render_block(info: str, source: str, time: DrawingTime | None) -> str:
    """Returns a block of code, with colours if there is time and if its language and its size allow them."""
    plain = partial(escape, source)
    content = time.draw(partial(colour, _find_language(info), source), plain) if time else plain()
    return render_head(info) + content + FOOT


@lru_cache(maxsize=32)
def colour(language: str, source: str) -> str:
    """Returns the content of a block of code: escaped text, and spans with a Pygments class if it can be coloured."""
    if not _is_colourable(source) or (lexer := load_lexer(language)) is None:
        return escape(source)
    tokens = _lex_in_time(lexer, source)
    if "".join(text for _, text in tokens) != source:
        return escape(source)
    return sanitise.clean_code("".join(_render_tokens(tokens)))


def _is_colourable(source: str) -> bool:
    return (
        len(source) <= LONGEST_COLOURED
        and "\n" * _MOST_EMPTY_LINES not in source
        and all(len(line) <= _LONGEST_LINE for line in source.split("\n"))
    )


def _lex_in_time(lexer: Lexer, source: str) -> list[Token]:
    """Returns the tokens of a source, or only the first ones if they take too long."""
    tokens: list[Token] = []
    end = thread_time() + _MOST_SECONDS + _MOST_SECONDS_PER_CHARACTER * len(source)
    for batch in batched(lex(lexer, source), 64):
        tokens += batch
        if thread_time() > end:
            break
    return tokens


def _render_tokens(tokens: list[Token]) -> list[str]:
    pieces: list[str] = []
    for kind, text in tokens:
        if name := _find_class(kind):
            pieces += f'<span class="{name}">', mask(text), "</span>"
        else:
            pieces.append(mask(text))
    return pieces


# Classes that share the colour of another.
_ALIKE = {
    "no": "nv",
    "ne": "nc",
    "nn": "nc",
    "ni": "se",
    "si": "se",
    "kc": "m",
    "gu": "gh",
    "ow": "k",
    "cp": "nd",
}


@cache
def _find_class(kind: TokenType) -> str:
    """Returns the class of a kind of token or of its nearest ancestor that has one, empty for plain text."""
    for ancestor in reversed(kind.split()):
        name: str = STANDARD_TYPES.get(ancestor, "")
        if (name := _ALIKE.get(name, name)) in COLOURS:
            return name
    return ""


@cache
def _load_aliases() -> dict[str, tuple[str, str]]:
    """Returns, for every name of a language, how people write it and its lexer's first alias."""
    return {alias: (name, aliases[0]) for name, aliases, *_ in get_all_lexers(plugins=False) for alias in aliases}


@cache
def load_coloured_aliases() -> frozenset[str]:
    """Returns the first aliases of the lexers in use."""
    known = _load_aliases()
    return frozenset(known[alias][1] for alias in _COLOURED if alias in known)


_loading = Lock()


@lru_cache(maxsize=64)
def load_lexer(language: str) -> Lexer | None:
    """Returns the lexer for any name of a language, None if it is not in use."""
    _, alias = _load_aliases().get(language, ("", ""))
    if alias not in load_coloured_aliases():
        return None
    # Pygments builds a lexer on first use, and two threads that do so at the same time break it.
    with _loading:
        return get_lexer_by_name(alias, stripnl=False, ensurenl=False)


def _find_language(info: str) -> str:
    """Returns the language that a fence's info string begins with."""
    parts = info.split(maxsplit=1)
    return parts[0].strip("{}.").lower()[:40] if parts else ""


def _name_language(language: str) -> str:
    return _load_aliases().get(language, (language, ""))[0] or "Text"
