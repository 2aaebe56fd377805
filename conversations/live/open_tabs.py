"""Limits how many tabs of a person are connected to this process."""

from typing import Protocol


class OpenTab(Protocol):
    heard_at: float
    """When the tab last sent something, in seconds of the event loop's clock."""


class OpenTabs[T: OpenTab]:
    def __init__(self) -> None:
        self._tabs: dict[int, set[T]] = {}

    def add(self, person_pk: int, tab: T, limit: int) -> T | None:
        """Returns the tab that has to close if the person now has more than `limit`.

        That is the one that has been silent for longest: dead connections send nothing, and hidden tabs little.
        """
        tabs = self._tabs.setdefault(person_pk, set())
        silent = min(tabs, key=lambda each: each.heard_at) if len(tabs) >= limit else None
        tabs.add(tab)
        return silent

    def remove(self, person_pk: int, tab: T) -> None:
        tabs = self._tabs.get(person_pk, set())
        tabs.discard(tab)
        if not tabs:
            self._tabs.pop(person_pk, None)
