"""An event is a line or an object of JSON, whatever it contains, and reveals neither secrets nor content."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils.timezone import now
from hypothesis import given
from hypothesis import strategies as st

from chatsite.logs.exceptions import LONGEST_TRACEBACK, describe_exception
from chatsite.logs.formats import LONGEST_MESSAGE, JsonFormatter, LineFormatter
from chatsite.logs.request_ids import set_request_id
from chatsite.models import ErrorGroup

FORMATTERS = [LineFormatter(), JsonFormatter()]
ANY_TEXT = st.text(st.characters(codec=None, categories=None))


def record(message: Any, *arguments: Any, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("chatsite.tea", logging.ERROR, __file__, 1, message, arguments, exc_info, "brew")


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as raised:
        return raised


def read_json(*arguments: Any, **named: Any) -> dict[str, Any]:
    line = JsonFormatter().format(record(*arguments, **named))
    assert line.isascii() and line.isprintable()
    found: dict[str, Any] = json.loads(line)
    return found


def test_an_event_is_a_line_with_its_request_id() -> None:
    set_request_id("req_1")
    line = LineFormatter().format(record("%s is ready", "Tea"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ERROR chatsite.tea \[req_1\]: Tea is ready", line)
    set_request_id("")
    assert LineFormatter().format(record("Tea")).endswith(" ERROR chatsite.tea: Tea")


def test_an_event_is_an_object_with_its_request_id() -> None:
    set_request_id("req_1")
    found = read_json("%s is ready", "Tea")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found.pop("time"))
    assert found == {"level": "ERROR", "logger": "chatsite.tea", "request_id": "req_1", "message": "Tea is ready"}
    set_request_id("")
    assert read_json("Tea")["request_id"] is None


@given(ANY_TEXT, ANY_TEXT)
def test_no_text_begins_another_line(message: str, argument: str) -> None:
    for said in (record(message), record("Said: %s", argument)):
        line = LineFormatter().format(said)
        assert line.isprintable() and len(line.splitlines()) == 1
        line.encode()
        json.loads(JsonFormatter().format(said))


@given(ANY_TEXT)
def test_no_error_forges_a_line(words: str) -> None:
    said = record("Failed", error=caught(ValueError(words)))
    first, *others = LineFormatter().format(said).split("\n")
    assert first.endswith(": Failed") and others
    assert all(line.startswith("    ") and line.isprintable() for line in others)
    found = read_json("Failed", error=caught(ValueError(words)))
    assert found["exception"] == "ValueError" and "in caught" in found["traceback"]


def test_what_is_meaningful_in_json_is_kept() -> None:
    assert read_json("one\ntwo \x1b[31m\u2028 ü")["message"] == "one\ntwo \x1b[31m\u2028 ü"
    # Strict readers refuse halves of a character.
    assert read_json("half \ud83d")["message"] == "half \\ud83d"


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_huge_values_are_cut(formatter: logging.Formatter) -> None:
    line = formatter.format(record("%s", "x" * 1_000_000, error=caught(ValueError("y" * 1_000_000))))
    assert len(line) < LONGEST_MESSAGE + LONGEST_TRACEBACK + 2_000
    assert "(1,000,000 characters)" in line


def recurse(depth: int) -> None:
    if depth:
        recurse(depth - 1)
    else:
        raise ValueError("deep")


def recurse_in_turns(depth: int) -> None:
    recurse_further(depth)


def recurse_further(depth: int) -> None:
    recurse_in_turns(depth - 1) if depth else recurse(0)


def test_a_deep_traceback_keeps_its_end() -> None:
    try:
        recurse_in_turns(sys.getrecursionlimit() // 4)
    except ValueError as error:
        found = read_json("Failed", error=error)
    assert len(found["traceback"]) <= LONGEST_TRACEBACK + 100
    assert found["traceback"].rstrip().endswith("ValueError: deep") and "in recurse" in found["traceback"]


def test_groups_that_share_their_errors_name_each_once() -> None:
    error: Exception = caught(ValueError("one"))
    for _ in range(9):
        error = caught(ExceptionGroup("several", [error] * 9))
    begun = time.perf_counter()
    assert LineFormatter().format(record("Tea", error=error)).count("ValueError: one") == 1
    assert time.perf_counter() - begun < 2


def test_a_traceback_names_its_causes_and_every_error_of_a_group() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ExceptionGroup("several", [caught(ValueError("one")), caught(TypeError("two"))]) from error
    except ExceptionGroup as error:
        trace = read_json("Failed", error=error)["traceback"]
    assert all(words in trace for words in ("KeyError: 'first'", "several", "ValueError: one", "TypeError: two"))
    assert trace.index("KeyError") < trace.index("several")


def test_an_error_that_refers_to_itself_ends() -> None:
    one, two = caught(ValueError("one")), caught(ValueError("two"))
    one.__context__, two.__context__ = two, one
    assert read_json("Failed", error=one)["traceback"].count("ValueError: ") == 2


def test_values_that_others_quote_are_left_out() -> None:
    """PostgreSQL quotes rows, and Pydantic quotes input, in the lines after the first."""
    quoting = ValueError("null value in column\nDETAIL:  Failing row contains (1, My secret thoughts).")
    local_value = "My secret thoughts"
    for formatter in FORMATTERS:
        assert local_value not in formatter.format(record("Failed", error=caught(quoting)))
    assert describe_exception(quoting) == "ValueError: null value in column"


THOUGHT = "What I have never told anybody, not even you"


def read_nothing(_: str) -> None:
    raise IntegrityError(f'null value in column "at"\nDETAIL:  Failing row contains (1, {THOUGHT}).')


def read_bytes(thought: str) -> None:
    int(thought.encode(errors="replace"))


THOUGHTS = [
    *(THOUGHT, f"It's {THOUGHT}", f'"{THOUGHT}"', f"{THOUGHT}\n{THOUGHT}", f"({THOUGHT}", f"{THOUGHT} \\"),
    *(f"'\"{THOUGHT}", 1000 * THOUGHT, 1000 * f"{THOUGHT}'", 1000 * f"{THOUGHT}\"'", f"ü\ud83d{THOUGHT}"),
]


@pytest.mark.parametrize("work", [int, {}.__getitem__, json.loads, Decimal, read_nothing, read_bytes])
@pytest.mark.parametrize("thought", THOUGHTS, ids=range(len(THOUGHTS)))
def test_what_somebody_wrote_is_in_no_event(work: Callable[[str], Any], thought: str) -> None:
    try:
        work(thought)
    except Exception as error:
        lost = f"Task exception was never retrieved\nfuture: <Task exception={error!r}>"
        # asyncio and Daphne log such messages.
        for message in ("Failed", lost, f"Exception inside application: {error}"):
            for formatter in FORMATTERS:
                assert THOUGHT[:20] not in formatter.format(record(message, error=error))


@pytest.mark.django_db
def test_the_database_quotes_no_row() -> None:
    with pytest.raises(IntegrityError) as refusal:
        ErrorGroup(message=THOUGHT, last_at=now()).save()
    for formatter in FORMATTERS:
        line = formatter.format(record("Failed", error=refusal.value))
        assert "IntegrityError" in line and THOUGHT not in line


def test_the_name_of_a_file_is_kept() -> None:
    missing = "/srv/chatsite/var/uploads/2026/11/27/a-file-with-a-long-name"
    with pytest.raises(OSError) as refusal:
        Path(missing).read_text()
    assert missing in describe_exception(refusal.value)


HOSTILE = ["'" + "\\" * 9_000, "'\"" * 5_000, "'" * 10_000, "sk-" * 5_000, "://" * 5_000, "b'" * 5_000, "'a" * 300_000]


@pytest.mark.parametrize("words", HOSTILE, ids=lambda words: words[:4])
def test_no_text_takes_long(words: str) -> None:
    said = record(words, error=caught(ValueError(words)))
    begun = time.perf_counter()
    for formatter in FORMATTERS:
        formatter.format(said)
    # Measured: at most 20 ms, on a machine that was busy.
    assert time.perf_counter() - begun < 1


def test_words_with_apostrophes_are_kept() -> None:
    words = "can't connect to the database at all, and won't try again: it isn't there"
    assert describe_exception(ValueError(words)) == f"ValueError: {words}"


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class Odd:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_an_event_that_cannot_be_written_is_still_an_event(formatter: logging.Formatter) -> None:
    for odd in (record("%d of %d", "one"), record("%s", Odd()), record(Odd())):
        assert "brew" in formatter.format(odd)
    assert "Mute" in formatter.format(record("Failed", error=caught(Mute())))


SECRETS = {
    "Internal Server Error: /accounts/set-up/s3cr3t/": "Internal Server Error: /accounts/set-up/…/",
    "Forbidden (CSRF): /accounts/set-up/s3cr3t/": "Forbidden (CSRF): /accounts/set-up/…/",
    "cannot reach postgres://ada:s3cr3t@db/chat": "cannot reach postgres://…@db/chat",
    "cannot reach redis://:s3cr3t@cache:6379/0": "cannot reach redis://…@cache:6379/0",
    "got cs-" + "s3cr3t" * 6 + "abcd": "got cs-…",
    "got Bearer s3cr3t.abc": "got Bearer …",
    "got sk-ant-api03-s3cr3ts3cr3ts3cr3t": "got sk-…",
}


def test_a_secret_at_the_cut_is_left_out() -> None:
    for length in range(LONGEST_MESSAGE - 60, LONGEST_MESSAGE + 10):
        assert "s3cr3t" not in read_json("x" * length + " cs-" + "s3cr3t" * 6 + "abcd" + "y" * 1000)["message"]


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize("words", SECRETS)
def test_secrets_are_left_out(formatter: logging.Formatter, words: str) -> None:
    line = formatter.format(record(words, error=caught(ValueError(words))))
    assert "s3cr3t" not in line
    assert read_json(words)["message"] == SECRETS[words]
