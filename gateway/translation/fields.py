"""Holds the fields of a request during translation. Fields that nothing takes are dropped and named."""

import re
from collections.abc import Mapping
from typing import Any, Final, Self

from gateway.problems import Problem

_FIT_FOR_HEADER: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)
"""Field names come from the client, so not every name is safe in a header."""


class RequestFields:
    """An object in the request. Objects within it share its list of dropped fields."""

    def __init__(self, fields: Mapping[str, Any], path: str = "", dropped: list[str] | None = None) -> None:
        self._fields = dict(fields)
        self._path = path
        self.dropped: list[str] = [] if dropped is None else dropped

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields that are not translated yet."""
        return self._fields

    def read(self, name: str) -> Any:
        """Returns the field's value, None if it is absent, and leaves the field to be translated."""
        return self._fields.get(name)

    def take(self, name: str) -> Any:
        """Returns the field's value, None if it is absent, and counts the field as translated."""
        return self._fields.pop(name, None)

    def take_within(self, name: str) -> Self:
        return self.within(self.take(name) or {}, name)

    def within(self, fields: Mapping[str, Any], name: str) -> Self:
        return type(self)(fields, f"{self._path}{name}.", self.dropped)

    def drop(self, name: str) -> None:
        path = f"{self._path}{name}"
        name = path if _FIT_FOR_HEADER.fullmatch(path) else "unknown"
        if name not in self.dropped:
            self.dropped.append(name)

    def drop_rest(self, *silently: str) -> None:
        """Drops the remaining fields, and names those that are neither null nor in `silently`."""
        for name, value in self._fields.items():
            if value is not None and name not in silently:
                self.drop(name)

    def problem(self, name: str, fault: str) -> Problem:
        return Problem.at(f"{self._path}{name}", fault)
