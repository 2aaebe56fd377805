"""The fields of a request while they are translated: what nobody takes is left out, and said."""

import re
from collections.abc import Mapping
from typing import Any, Final, Self

from gateway.problems import Problem

_TELLABLE: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)
"""What can stand in a header as it is: names of fields are the client's own words."""


class Asked:
    """An object of the request; those within it share the list of what was dropped."""

    def __init__(self, fields: Mapping[str, Any], path: str = "", dropped: list[str] | None = None) -> None:
        self._fields = dict(fields)
        self._path = path
        self.dropped: list[str] = [] if dropped is None else dropped

    def take(self, name: str) -> Any:
        """The field's value, null where it is absent; it counts as translated from now on."""
        return self._fields.pop(name, None)

    def take_within(self, name: str) -> Self:
        return self.within(self.take(name) or {}, name)

    def within(self, fields: Mapping[str, Any], name: str) -> Self:
        return type(self)(fields, f"{self._path}{name}.", self.dropped)

    def drop(self, name: str) -> None:
        path = f"{self._path}{name}"
        told = path if _TELLABLE.fullmatch(path) else "unknown"
        if told not in self.dropped:
            self.dropped.append(told)

    def drop_rest(self, *silently: str) -> None:
        """Leaves out what was not taken, and names it unless it is null or among `silently`."""
        for name, value in self._fields.items():
            if value is not None and name not in silently:
                self.drop(name)

    def problem(self, name: str, fault: str) -> Problem:
        return Problem.at(f"{self._path}{name}", fault)
