"""Small rules for parsed request bodies, which the checks of both protocols combine.

A rule takes a value and its path, and raises a Problem that names the path. Rules are named by what they accept:
`string` is a rule, `integer(1)` makes one. Fields and types without a rule pass.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.problems import Problem
from upstreams.events import MAX_TOKENS

type Rule = Callable[[Any, str], None]

NAME_PATTERN: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def anything(value: object, path: str) -> None:
    """Accepts any value: another rule checks it."""


def string(value: object, path: str) -> None:
    if not isinstance(value, str):
        raise Problem.at(path, "must be a string.")


def text(value: object, path: str) -> None:
    string(value, path)
    if not value:
        raise Problem.at(path, "must not be empty.")


def name(value: object, path: str) -> None:
    if not isinstance(value, str) or not NAME_PATTERN.fullmatch(value):
        raise Problem.at(path, "must be 1 to 128 letters, digits, underscores or hyphens.")


def boolean(value: object, path: str) -> None:
    if not isinstance(value, bool):
        raise Problem.at(path, "must be true or false.")


def mapping(value: object, path: str) -> None:
    if not isinstance(value, Mapping):
        raise Problem.at(path, "must be an object.")


def words(*allowed: str) -> Rule:
    def rule(value: object, path: str) -> None:
        if value not in allowed:
            raise Problem.at(path, f"must be {_quote_all(allowed)}.")

    return rule


def integer(least: int, most: int = MAX_TOKENS) -> Rule:
    def rule(value: object, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Problem.at(path, "must be a whole number.")
        if value < least:
            raise Problem.at(path, f"must be {least} or more.")
        if value > most:
            raise Problem.at(path, f"must be {most} or less.")

    return rule


def any_number(value: object, path: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Problem.at(path, "must be a number.")


def number(least: int, most: int) -> Rule:
    def rule(value: Any, path: str) -> None:
        any_number(value, path)
        # In this form the comparison also refuses NaN.
        if not least <= value <= most:
            raise Problem.at(path, f"must be between {least} and {most}.")

    return rule


def array(each: Rule, least: int = 0, most: int | None = None) -> Rule:
    def rule(value: object, path: str) -> None:
        if not isinstance(value, list):
            raise Problem.at(path, "must be an array.")
        if len(value) < least:
            raise Problem.at(path, f"must have at least {least} entry." if least == 1 else "has too few entries.")
        if most is not None and len(value) > most:
            raise Problem.at(path, f"must have at most {most} entries.")
        for place, entry in enumerate(value):
            each(entry, f"{path}.{place}")

    return rule


def values(each: Rule) -> Rule:
    """An object with any names."""

    def rule(value: object, path: str) -> None:
        mapping(value, path)
        assert isinstance(value, Mapping)
        for key, entry in value.items():
            each(entry, f"{path}.{key}")

    return rule


def string_or(otherwise: Rule, called: str = "an array") -> Rule:
    expected: type = list if called == "an array" else dict

    def rule(value: object, path: str) -> None:
        if not isinstance(value, str | expected):
            raise Problem.at(path, f"must be a string or {called}.")
        if not isinstance(value, str):
            otherwise(value, path)

    return rule


def record(required: Mapping[str, Rule], optional: Mapping[str, Rule] | None = None) -> Rule:
    """An object with these fields. An optional field that is null counts as absent."""
    optional = optional or {}

    def rule(value: object, path: str) -> None:
        mapping(value, path)
        assert isinstance(value, Mapping)
        for field, its_rule in required.items():
            if field not in value:
                raise Problem.at(_join_path(path, field), "is required.")
            its_rule(value[field], _join_path(path, field))
        for field, its_rule in optional.items():
            if value.get(field) is not None:
                its_rule(value[field], _join_path(path, field))

    return rule


def by_type(rules: Mapping[str, Rule], *, closed: bool = False) -> Rule:
    """An object that follows the rule for its `type`. Accepts other types unless `closed`."""
    has_type = record({"type": words(*rules) if closed else string})

    def rule(value: Any, path: str) -> None:
        has_type(value, path)
        rules.get(value["type"], anything)(value, path)

    return rule


def _join_path(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _quote_all(allowed: tuple[str, ...]) -> str:
    *others, last = (f'"{word}"' for word in allowed)
    return f"{', '.join(others)} or {last}" if others else last
