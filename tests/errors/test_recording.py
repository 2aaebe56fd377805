"""Errors are grouped by their cause in microseconds and bounded memory, in any thread."""

import logging
import threading
import time
from collections import Counter
from functools import partial

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError, ProgrammingError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from chatsite.errors.recorder import MOST_REFERENCES, MOST_UNSAVED, OTHERS, ErrorRecorder
from tests.errors.logged import fail_here, fail_there, log_failure, make_logger


def test_errors_with_the_same_cause_are_one_group() -> None:
    recorder = ErrorRecorder()
    log_failure(recorder, partial(fail_here, "no tea"), "req_1")
    log_failure(recorder, partial(fail_here, "no milk"), "req_2")
    [group] = recorder.take()
    assert (group.count, [*group.references]) == (2, ["req_1", "req_2"])
    assert (group.exception, group.place) == ("ValueError", "tests/errors/logged.py, fail_here")
    assert group.description == "ValueError: no tea" and "in fail_here" in group.traceback
    assert group.message == "Making tea for req_1 failed" and group.first_at <= group.last_at
    assert recorder.take() == []


def test_another_place_logger_template_or_type_is_another_group() -> None:
    recorder = ErrorRecorder()
    log_failure(recorder)
    log_failure(recorder, fail_there)
    log_failure(recorder, lambda: int("tea") and None)
    for name, words in (("teapot", "cold"), ("kettle", "cold"), ("kettle", "off")):
        make_logger(recorder, name).error(words)
    assert [group.count for group in recorder.take()] == [1] * 6


def test_values_in_a_message_do_not_make_another_group() -> None:
    recorder = ErrorRecorder()
    for number in range(3):
        make_logger(recorder).error("Cup %s is cold", number)
        # As asyncio does.
        make_logger(recorder).error(f"Task-{number} at 0x7f{number}ab was lost\n{number * 'x'}")
    assert [group.count for group in recorder.take()] == [3, 3]


@pytest.fixture
def broken_sessions(db: None) -> OperationalError | ProgrammingError:
    """What SQLite or PostgreSQL says when sessions are read."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_session RENAME TO away")
        try:
            with transaction.atomic():
                SessionStore("x").load()
        except (OperationalError, ProgrammingError) as error:
            cursor.execute("ALTER TABLE away RENAME TO django_session")
            return error
    raise AssertionError


def test_an_error_of_the_database_is_where_somebody_asked_it(broken_sessions: Exception) -> None:
    assert place_of(broken_sessions) == "tests/errors/test_recording.py, broken_sessions"
    assert broken_sessions.__traceback__
    # As in a middleware, without code of ours.
    foreign = broken_sessions.with_traceback(broken_sessions.__traceback__.tb_next)
    assert place_of(foreign) == "django/contrib/sessions/backends/db.py, SessionStore._get_session_from_db"


def place_of(error: Exception) -> str:
    recorder = ErrorRecorder()
    make_logger(recorder).error("Failed", exc_info=error)
    [group] = recorder.take()
    return group.place


def test_a_warning_is_not_recorded() -> None:
    recorder = ErrorRecorder()
    make_logger(recorder).warning("lukewarm")
    make_logger(recorder).critical("empty")
    assert [group.message for group in recorder.take()] == ["empty"]


def test_too_many_groups_are_counted_together() -> None:
    recorder = ErrorRecorder()
    for number in range(3 * MOST_UNSAVED):
        make_logger(recorder, f"cup.{'x' * number}").error("cold")
    groups = recorder.take()
    assert len(groups) == MOST_UNSAVED + 1
    assert {group.fingerprint: group.count for group in groups}[OTHERS] == 2 * MOST_UNSAVED
    recorder.give_back(groups)
    recorder.give_back(groups[:3])
    assert sum(group.count for group in recorder.take()) == 3 * MOST_UNSAVED + 3


def test_references_are_the_latest_without_repetitions() -> None:
    recorder = ErrorRecorder()
    for number in range(3 * MOST_REFERENCES):
        log_failure(recorder, id=f"req_{number // 2}")
    [group] = recorder.take()
    last = 3 * MOST_REFERENCES // 2
    assert [*group.references] == [f"req_{number}" for number in range(last - MOST_REFERENCES, last)]


def test_no_error_of_any_thread_is_lost() -> None:
    recorder, counted = ErrorRecorder(), Counter[str]()

    def log() -> None:
        for _ in range(500):
            log_failure(recorder)

    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        counted.update({group.fingerprint: group.count for group in recorder.take()})
    counted.update({group.fingerprint: group.count for group in recorder.take()})
    assert [*counted.values()] == [2000]


@given(st.text(st.characters(codec=None, categories=None)), st.text(st.characters(codec=None, categories=None)))
def test_any_text_can_be_stored(words: str, argument: str) -> None:
    recorder = ErrorRecorder()
    log_failure(recorder, partial(fail_here, words))
    make_logger(recorder).error(words, argument)
    for group in recorder.take():
        for text in (group.message, group.description, group.traceback, group.fingerprint):
            text.encode()
            assert "\0" not in text and len(text) < 17_000


@pytest.mark.parametrize("fails_in", ["__str__", "__repr__"])
def test_a_message_without_words_is_recorded(fails_in: str) -> None:
    def fail(self: object) -> str:
        raise RuntimeError("no words")

    # An exception takes its words from its repr without a __str__ of its own.
    wordless: type[Exception] = type("Wordless", (Exception,), {"__str__": lambda self: repr(self), fails_in: fail})
    recorder = ErrorRecorder()
    for template, arguments in ((wordless(), ()), ("%s", (wordless(),))):
        make_logger(recorder).error(template, *arguments)
    assert sum(group.count for group in recorder.take()) == 2


def test_a_storm_costs_microseconds_an_error() -> None:
    recorder = ErrorRecorder()
    record = logging.LogRecord("teapot", logging.ERROR, __file__, 1, "cold", (), None)
    begun = time.perf_counter()
    for _ in range(10_000):
        recorder.handle(record)
    # Measured: 5 µs. A machine that is busy may take longer.
    assert time.perf_counter() - begun < 2
