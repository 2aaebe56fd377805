"""Pygments' lexers at a fraction of their cost: only the rules that can match at the next character are tried.

A Pygments lexer tries up to a hundred regular expressions per token, in order, and most of them fail. This module reads
once from each expression which characters it can begin with. The tokens are the same.

It pays for its use of private parts (`re._parser`, `re._constants`, `RegexLexer._tokens`): colouring holds up the event
loop, and Pygments needs 4.8 µs a character of Python, 3.4 of TypeScript and 1.4 of Rust where this needs 0.3. A block
of 20,000 characters would stop every stream for 0.1 s. Over 16 languages it takes 0.4 instead of 1.1 µs a character.
tests/conversations/markdown/test_lexing.py compares both for every language in use.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from pygments.lexer import Lexer, RegexLexer
from pygments.token import Error, Whitespace, _TokenType

type TokenType = _TokenType
type Token = tuple[TokenType, str]
type Rule = tuple[Callable[[str, int], re.Match[str] | None], Any, Any]
"""The match function of an expression, the action on its match, and the change of state after it."""

_ASCII: Final = frozenset(map(chr, range(128)))
_CATEGORIES: Final = {
    ops.CATEGORY_DIGIT: r"\d",
    ops.CATEGORY_NOT_DIGIT: r"\D",
    ops.CATEGORY_SPACE: r"\s",
    ops.CATEGORY_NOT_SPACE: r"\S",
    ops.CATEGORY_WORD: r"\w",
    ops.CATEGORY_NOT_WORD: r"\W",
}
_REPEATS: Final = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_ZERO_WIDTH: Final = (ops.AT, ops.ASSERT, ops.ASSERT_NOT)


def lex(lexer: Lexer, text: str) -> Iterator[Token]:
    """Yields the tokens of a text whose lines end in \\n, as `lexer.get_tokens` would."""
    if type(lexer).get_tokens_unprocessed is not RegexLexer.get_tokens_unprocessed:
        # A lexer with its own method may do more than try rules.
        yield from lexer.get_tokens(text)
        return
    for _, kind, value in _apply_rules(lexer, text):
        yield kind, value


def _apply_rules(lexer: Any, text: str) -> Iterator[tuple[int, TokenType, str]]:
    states = _load_states(lexer)
    stack = ["root"]
    at, rules = 0, states["root"]
    while at < len(text):
        for match, action, change in rules.find(text[at]):
            if found := match(text, at):
                if action is not None:
                    if type(action) is _TokenType:
                        yield at, action, found[0]
                    else:
                        yield from action(lexer, found)
                at = found.end()
                if change is not None:
                    _change_state(stack, change)
                    rules = states[stack[-1]]
                break
        else:
            if text[at] == "\n":
                stack = ["root"]
                rules = states["root"]
            yield at, Whitespace if text[at] == "\n" else Error, text[at]
            at += 1


def _change_state(stack: list[str], change: Any) -> None:
    """Pushes and pops states as a rule demands. The root state stays."""
    for step in change if isinstance(change, tuple) else (change,):
        if isinstance(step, int):
            del stack[max(len(stack) + step, 1) :]
        elif step == "#pop":
            del stack[max(len(stack) - 1, 1) :]
        else:
            stack.append(stack[-1] if step == "#push" else step)


class _Rules:
    """The rules of one state, by the character that they can match at."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._by_character: dict[str, list[Rule]] = {}

    def find(self, character: str) -> list[Rule]:
        rules = self._by_character.get(character)
        if rules is None:
            if character not in _ASCII:
                return self._rules
            rules = [rule for rule in self._rules if character in _find_first_characters(rule)]
            self._by_character[character] = rules
        return rules


@lru_cache(maxsize=64)
def _load_states(lexer: Any) -> dict[str, _Rules]:
    return {name: _Rules(rules) for name, rules in lexer._tokens.items()}


def _find_first_characters(rule: Rule) -> frozenset[str]:
    pattern: re.Pattern[str] = rule[0].__self__  # type: ignore[attr-defined]
    return _find_first_characters_of(pattern.pattern, pattern.flags)


@cache
def _find_first_characters_of(pattern: str, flags: int) -> frozenset[str]:
    """Returns the ASCII characters at which a pattern can match, and possibly more."""
    first, may_be_empty = _read_sequence(_parser.parse(pattern, flags), flags)
    return _ASCII if may_be_empty else first


def _read_sequence(parts: Any, flags: int) -> tuple[frozenset[str], bool]:
    """Returns what a sequence of parts can begin with, and whether it can match the empty text."""
    found: frozenset[str] = frozenset()
    for op, value in parts:
        first, may_be_empty = _read_part(op, value, flags)
        found |= first
        if not may_be_empty:
            return found, False
    return found, True


def _read_part(op: Any, value: Any, flags: int) -> tuple[frozenset[str], bool]:
    if op in _ZERO_WIDTH:
        return frozenset(), True
    if op is ops.SUBPATTERN:
        _, added, removed, parts = value
        return _read_sequence(parts, (flags | added) & ~removed)
    if op is ops.ATOMIC_GROUP:
        return _read_sequence(value, flags)
    if op is ops.BRANCH:
        branches = [_read_sequence(branch, flags) for branch in value[1]]
        return frozenset().union(*(first for first, _ in branches)), any(is_empty for _, is_empty in branches)
    if op in _REPEATS:
        least, _, parts = value
        first, may_be_empty = _read_sequence(parts, flags)
        return first, may_be_empty or least == 0
    if op is ops.LITERAL:
        return _read_set([(op, value)], flags), False
    if op is ops.IN:
        return _read_set(value, flags), False
    # A dot, a negated literal, a reference to a group…
    return _ASCII, op not in (ops.ANY, ops.NOT_LITERAL)


def _read_set(items: list[tuple[Any, Any]], flags: int) -> frozenset[str]:
    """Returns the ASCII characters of a set."""
    is_negated = items[0][0] is ops.NEGATE
    found: set[str] = set()
    for op, value in items[is_negated:]:
        if op is ops.LITERAL:
            found.add(chr(value))
        elif op is ops.RANGE:
            found.update(map(chr, range(value[0], min(value[1], 128) + 1)))
        elif op is ops.CATEGORY:
            found |= _read_category(value)
        else:
            return _ASCII
    if flags & re.IGNORECASE:
        if is_negated or not found <= _ASCII:
            return _ASCII
        found |= {character.swapcase() for character in found}
    return _ASCII - found if is_negated else _ASCII & found


@cache
def _read_category(name: Any) -> frozenset[str]:
    return frozenset(filter(re.compile(_CATEGORIES[name]).match, _ASCII))
