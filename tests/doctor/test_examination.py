"""An examination ends in time, whatever hangs, and survives a check that fails."""

import threading
import time

import pytest
from django.db import OperationalError

from chatsite.doctor import examination
from chatsite.doctor.examination import Report, Topic, count_levels, examine, sort
from chatsite.doctor.findings import Level, broken, look_at, ok


async def test_a_check_that_hangs_is_reported_once_and_not_started_again(monkeypatch):
    monkeypatch.setattr(examination, "LIMIT", 0.3)
    goes_on, calls = threading.Event(), []

    def check_first():
        yield ok("The first is fine.")

    def check_second():
        calls.append(1)
        goes_on.wait(10)
        yield ok("The second is fine.")

    topic = Topic("Hanging", check_first, check_second)
    try:
        begun = time.monotonic()
        for _ in range(3):
            first, hangs = (await topic.report()).findings
            assert first.words == "The first is fine." and hangs.level is Level.BROKEN
        assert time.monotonic() - begun < 3 and len(calls) == 1
    finally:
        goes_on.set()
    monkeypatch.setattr(examination, "LIMIT", 10)
    assert [each.level for each in (await Topic("Hanging", check_first, check_second).report()).findings] == [
        Level.OK
    ] * 2


async def test_a_check_that_fails_does_not_keep_others_from_running():
    def check_that_raises():
        raise RuntimeError("zq9 in the words of an error")

    def check_without_database():
        yield ok("Not reached.")
        raise OperationalError("the database is away")

    topic = Topic("Failing", check_that_raises, check_without_database, lambda: [ok("The last is fine.")])
    ours, away, last = (await topic.report()).findings
    assert "fault of chatsite" in ours.advice and "zq9" not in ours.words
    assert away.level is Level.BROKEN and "the database is away" in away.words
    assert last.level is Level.OK


def test_the_worst_comes_first():
    fine = Report("Fine", [ok("1")])
    bad = Report("Bad", [ok("2"), broken("3", "Mend it."), look_at("4", "Look.")])
    [first, second] = sort([fine, bad])
    assert [each.words for each in first.findings] == ["3", "4", "2"] and second == fine
    assert list(count_levels([fine, bad]).items()) == [(Level.BROKEN, 1), (Level.LOOK, 1), (Level.OK, 2)]


@pytest.mark.django_db(transaction=True)
async def test_a_database_that_is_away_is_said_once(monkeypatch):
    def check_connection():
        raise OperationalError("connection refused")
        yield

    monkeypatch.setattr(examination, "CONNECTION", Topic("Database", check_connection))
    reports = {report.topic: report.findings for report in await examine()}
    [found] = reports["Database"]
    assert "connection refused" in found.words
    assert "Processes" not in reports and "Machine" in reports
