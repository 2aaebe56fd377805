"""Lists of the admin that any filter and search may ask for."""

from typing import Any, Final

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest

from chatsite.failures.faults import is_passing

WORDS: Final = 20
"""The words of a search that count. SQLite refuses conditions of about a thousand parts."""


class FilteredList(ChangeList):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Refuses values that no database can look up as Django refuses filters that it does not know.

        Django finds out about them only when it counts the rows, and does not expect numbers beyond a year.
        """
        try:
            super().__init__(*arguments, **named)
        except (OverflowError, ValueError, DatabaseError) as error:
            if is_passing(error):
                raise
            raise IncorrectLookupParameters(error) from error


class ListedInAdmin:
    """Mixed into a ModelAdmin."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FilteredList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        words = " ".join(search_term.split()[:WORDS])
        found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, words)  # type: ignore[misc]
        return found
