"""The site asks to try again only if that can help."""

import pytest
from django.db import DatabaseError, connection, transaction

from chatsite.failures.faults import is_passing


@pytest.mark.django_db
@pytest.mark.parametrize("sql", ["SELECT 1" + " + 1" * 100_000, "SELECT nothing", "SELECT * FROM nowhere"])
def test_a_statement_that_the_database_can_never_run_is_not_a_passing_fault(sql: str) -> None:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert not is_passing(caught.value)
