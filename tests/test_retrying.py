"""Writes are retried until the database accepts them."""

import pytest
from django.core.exceptions import ObjectNotUpdated
from django.db import DatabaseError, IntegrityError, OperationalError

from chatsite import retrying
from chatsite.retrying import retry_until_saved


class Database:
    """Raises these errors in turn, then accepts every write."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.attempts, self.failures = list(errors), 0, 0

    async def write(self) -> str:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "saved"

    def note_failure(self) -> None:
        self.failures += 1


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0)


async def test_a_write_is_retried_until_it_succeeds() -> None:
    database = Database(*[OperationalError("database is locked")] * 3)
    assert await retry_until_saved(database.write, on_failure=database.note_failure) == "saved"
    assert (database.attempts, database.failures) == (4, 3)


async def test_the_last_of_limited_attempts_raises() -> None:
    database = Database(*[OperationalError("database is locked")] * 3)
    with pytest.raises(DatabaseError):
        await retry_until_saved(database.write, on_failure=database.note_failure, attempts=2)
    assert (database.attempts, database.failures) == (2, 1)


@pytest.mark.parametrize("error", [IntegrityError("its row is gone"), ObjectNotUpdated()])
async def test_a_write_to_a_deleted_row_is_not_retried(error: Exception) -> None:
    database = Database(error)
    with pytest.raises(type(error)):
        await retry_until_saved(database.write, on_failure=database.note_failure)
    assert (database.attempts, database.failures) == (1, 0)
