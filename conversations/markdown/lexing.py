"""Pygments' lexers at a fraction of their price: at each character only the rules that can match there are tried.

A lexer of Pygments tries up to a hundred regular expressions for each token, in order, most of them in vain. What a
regular expression can begin with is read off it once; the tokens are the same.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from pygments.lexer import Lexer, RegexLexer
from pygments.token import Error, Whitespace, _TokenType

type Rule = tuple[Callable[[str, int], re.Match[str] | None], Any, Any]
"""What matches, what it makes, and the state that comes then."""

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


def tokens(lexer: Lexer, text: str) -> Iterator[tuple[_TokenType, str]]:
    """What a lexer finds in a text whose lines end in \\n."""
    if type(lexer).get_tokens_unprocessed is not RegexLexer.get_tokens_unprocessed:
        # It has its own way, on which it may do more than try rules.
        yield from lexer.get_tokens(text)
        return
    for _, kind, value in _found(lexer, text):
        yield kind, value


def _found(lexer: Any, text: str) -> Iterator[tuple[int, _TokenType, str]]:
    states = _states(lexer)
    stack = ["root"]
    at, rules = 0, states["root"]
    while at < len(text):
        for matches, action, then in rules.at(text[at]):
            if found := matches(text, at):
                if action is not None:
                    if type(action) is _TokenType:
                        yield at, action, found[0]
                    else:
                        yield from action(lexer, found)
                at = found.end()
                if then is not None:
                    _turn(stack, then)
                    rules = states[stack[-1]]
                break
        else:
            if text[at] == "\n":
                stack = ["root"]
                rules = states["root"]
            yield at, Whitespace if text[at] == "\n" else Error, text[at]
            at += 1


def _turn(stack: list[str], then: Any) -> None:
    """Changes the states that are open as a rule says."""
    for step in then if isinstance(then, tuple) else (then,):
        if isinstance(step, int):
            del stack[max(len(stack) + step, 1) :]
        elif step == "#pop":
            del stack[max(len(stack) - 1, 1) :]
        else:
            stack.append(stack[-1] if step == "#push" else step)


class _State:
    """The rules of a state, by the character they can match at."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._at: dict[str, list[Rule]] = {}

    def at(self, character: str) -> list[Rule]:
        rules = self._at.get(character)
        if rules is None:
            if character not in _ASCII:
                return self._rules
            rules = self._at[character] = [rule for rule in self._rules if character in _beginnings(rule)]
        return rules


@lru_cache(maxsize=64)
def _states(lexer: Any) -> dict[str, _State]:
    return {name: _State(rules) for name, rules in lexer._tokens.items()}


def _beginnings(rule: Rule) -> frozenset[str]:
    pattern: re.Pattern[str] = rule[0].__self__  # type: ignore[attr-defined]
    return _beginnings_of(pattern.pattern, pattern.flags)


@cache
def _beginnings_of(pattern: str, flags: int) -> frozenset[str]:
    """The ASCII characters at which a pattern can match, and possibly more."""
    found, may_be_empty = _first(_parser.parse(pattern, flags), flags)
    return _ASCII if may_be_empty else found


def _first(parts: Any, flags: int) -> tuple[frozenset[str], bool]:
    """What a sequence of parts can begin with, and whether it can match nothing at all."""
    found: frozenset[str] = frozenset()
    for op, value in parts:
        first, may_be_empty = _first_of(op, value, flags)
        found |= first
        if not may_be_empty:
            return found, False
    return found, True


def _first_of(op: Any, value: Any, flags: int) -> tuple[frozenset[str], bool]:
    if op in _ZERO_WIDTH:
        return frozenset(), True
    if op is ops.SUBPATTERN:
        _, added, removed, parts = value
        return _first(parts, (flags | added) & ~removed)
    if op is ops.ATOMIC_GROUP:
        return _first(value, flags)
    if op is ops.BRANCH:
        firsts = [_first(branch, flags) for branch in value[1]]
        return frozenset().union(*(first for first, _ in firsts)), any(may_be_empty for _, may_be_empty in firsts)
    if op in _REPEATS:
        least, _, parts = value
        first, may_be_empty = _first(parts, flags)
        return first, may_be_empty or least == 0
    if op is ops.LITERAL:
        return _members([(op, value)], flags), False
    if op is ops.IN:
        return _members(value, flags), False
    # Anything, or what was matched before.
    return _ASCII, op not in (ops.ANY, ops.NOT_LITERAL)


def _members(items: list[tuple[Any, Any]], flags: int) -> frozenset[str]:
    """The ASCII characters of a set."""
    is_negated = items[0][0] is ops.NEGATE
    found: set[str] = set()
    for op, value in items[is_negated:]:
        if op is ops.LITERAL:
            found.add(chr(value))
        elif op is ops.RANGE:
            found.update(map(chr, range(value[0], min(value[1], 128) + 1)))
        elif op is ops.CATEGORY:
            found |= _category(value)
        else:
            return _ASCII
    if flags & re.IGNORECASE:
        if is_negated or not found <= _ASCII:
            return _ASCII
        found |= {character.swapcase() for character in found}
    return _ASCII - found if is_negated else _ASCII & found


@cache
def _category(name: Any) -> frozenset[str]:
    return frozenset(filter(re.compile(_CATEGORIES[name]).match, _ASCII))
