"""Writes are retried until the database accepts them, and the log does not fill up meanwhile."""

import pytest
from django.core.exceptions import ObjectNotUpdated
from django.db import IntegrityError, InterfaceError, OperationalError

from chatsite.failures import retrying
from chatsite.failures.failure_log import FailureLog
from chatsite.failures.retrying import retry_until_saved


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


SHORTAGES = [OperationalError("database is locked"), InterfaceError(), OSError(24, "no descriptors"), MemoryError()]


async def test_a_write_is_retried_until_it_succeeds() -> None:
    database = Database(*SHORTAGES)
    assert await retry_until_saved(database.write, on_failure=database.note_failure) == "saved"
    assert (database.attempts, database.failures) == (5, 4)


async def test_one_line_says_that_saving_fails_and_one_that_it_works_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retrying, "failures", FailureLog("Saving"))
    for _ in range(3):
        await retry_until_saved(Database(*SHORTAGES).write)
    assert caplog.messages == ["Saving is failing (OperationalError: database is locked)", "Saving works again"]
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("error", [IntegrityError("its row is gone"), ObjectNotUpdated()])
async def test_a_write_to_a_deleted_row_is_not_retried(error: Exception) -> None:
    database = Database(error)
    with pytest.raises(type(error)):
        await retry_until_saved(database.write, on_failure=database.note_failure)
    assert (database.attempts, database.failures) == (1, 0)
