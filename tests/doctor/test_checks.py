"""What the doctor finds in settings, keys, the database, on the disk and among processes, and what it advises."""

import os
import re
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.utils.timezone import now

from chatsite.backups.making import scratch_directory
from chatsite.doctor.checks import database, keys, left_behind, machine, mail, processes, uploads, upstreams
from chatsite.doctor.checks import settings as settings_checks
from chatsite.doctor.findings import Check, Diagnosis, Level
from chatsite.installation.uploads import read_uploads_url
from chatsite.keys import adopt_keys
from chatsite.mail.mailers import read_mailers, read_sender
from chatsite.models import Process
from chatsite.process import lease
from conversations.models import Generation, State
from ledger.models import Entry
from tests.fakes import ModelServer
from tests.object_store import ObjectStoreServer
from tests.places import make_place
from tests.redis_server import RedisServer
from tests.steps import Answer
from tests.upstreams.views.providers import SECRET, model_of, provider
from upstreams.client import clocks, list_models

LONG_KEY = "a long and secret key of the tests, which nobody can guess"


def problems(check: Check) -> list[Diagnosis]:
    found = list(check())
    assert all(bool(each.advice) or each.level is Level.OK for each in found)
    return [each for each in found if each.level is not Level.OK]


def problem(check: Check) -> Diagnosis:
    [found] = problems(check)
    return found


@pytest.mark.parametrize(
    ("check", "changes", "words"),
    [
        ("check_debug", {"DEBUG": True, "ALLOWED_HOSTS": ["chat.example"]}, "people reach the site as chat.example"),
        ("check_debug", {"DEBUG": True}, "DEBUG is on: error pages"),
        ("check_names", {"ALLOWED_HOSTS": ["*"]}, "ALLOWED_HOSTS contains *"),
        ("check_names", {"HTTPS": True, "ALLOWED_HOSTS": ["localhost", "127.0.0.1"]}, "no name except those of this"),
        ("check_tls", {"BEHIND_PROXY": True, "HTTPS": False}, "HTTPS is off"),
        ("check_tls", {"BEHIND_PROXY": False, "HTTPS": True}, "redirects to itself"),
        ("check_tls", {"BEHIND_PROXY": True, "HTTPS": True, "HOST": "0.0.0.0"}, "(HOST=0.0.0.0)"),
        (
            "check_tls",
            {"BEHIND_PROXY": True, "HTTPS": True, "CSRF_TRUSTED_ORIGINS": ["http://chat.example"]},
            "CSRF_TRUSTED_ORIGINS has an origin without TLS",
        ),
        ("check_metrics", {"METRICS_TOKEN": "zq9"}, "METRICS_TOKEN has fewer than 16"),
    ],
)
def test_settings_that_contradict_each_other(settings, check, changes, words):
    for name, value in changes.items():
        setattr(settings, name, value)
    found = problem(getattr(settings_checks, check))
    assert words in found.words and "zq9" not in found.words
    assert found.level is (Level.BROKEN if "people reach" in words else Level.LOOK)


@pytest.mark.parametrize(
    "changes",
    [{}, {"HTTPS": True, "BEHIND_PROXY": True, "ALLOWED_HOSTS": ["chat.example"], "METRICS_TOKEN": "x" * 16}],
)
def test_settings_that_fit_are_fine(settings, changes):
    settings.DEBUG, settings.ALLOWED_HOSTS, settings.METRICS_TOKEN = False, ["localhost"], ""
    for name, value in changes.items():
        setattr(settings, name, value)
    for check in ("check_debug", "check_names", "check_tls", "check_metrics"):
        assert problems(getattr(settings_checks, check)) == []


# ---------------------------------------------------------------- keys


@pytest.fixture
def adopted(db, settings):
    settings.SECRET_KEY, settings.SEALING_KEY = f"{LONG_KEY} 1", f"{LONG_KEY} 2"
    adopt_keys()
    return settings


def test_keys_of_the_database_are_fine(adopted):
    for check in (keys.check_strength, keys.check_fallbacks, keys.check_fingerprints, keys.check_sealed):
        assert problems(check) == []


def test_keys_that_are_weak_or_the_same(settings):
    settings.SECRET_KEY = settings.SEALING_KEY = "zq9"
    words = " ".join(each.words for each in problems(keys.check_strength))
    assert words.count("fewer than 32 characters") == 2 and "are the same" in words and "zq9" not in words


def test_a_key_that_others_can_read(settings, tmp_path):
    settings.DATA_DIR = settings.BASE_DIR = tmp_path
    (tmp_path / "secret_key").write_text("zq9")
    (tmp_path / "secret_key").chmod(0o640)
    assert problem(keys.check_modes).advice == f"Run `chmod 600 {tmp_path / 'secret_key'}`."
    (tmp_path / "secret_key").chmod(0o600)
    assert problems(keys.check_modes) == []


@pytest.mark.parametrize(("setting", "level"), [("SECRET_KEY", Level.BROKEN), ("SEALING_KEY", Level.BROKEN)])
def test_another_key_than_that_of_the_database(adopted, setting, level):
    provider()
    setattr(adopted, setting, f"{LONG_KEY} 3")
    found = problem(keys.check_fingerprints)
    assert found.level is level and setting in found.words and LONG_KEY not in found.words + found.advice


def test_secrets_that_cannot_be_read_are_named(adopted):
    made = provider()
    type(made).objects.filter(pk=made.pk).update(sealed_key="damaged")
    assert "of House cannot be read" in problem(keys.check_sealed).words


# ---------------------------------------------------------------- database


@pytest.mark.django_db
def test_a_migrated_database_is_fine():
    for check in (database.check_connection, database.check_version, database.check_migrations, database.check_clocks):
        assert problems(check) == []


@pytest.mark.django_db
def test_pending_and_unknown_migrations():
    recorder = MigrationRecorder(database.connection)
    latest = max(name for app, name in recorder.applied_migrations() if app == "chatsite")
    recorder.record_unapplied("chatsite", latest)
    assert "lacks 1 migration of this version" in problem(database.check_migrations).words
    recorder.record_applied("chatsite", latest)
    recorder.record_applied("chatsite", "9999_from_the_future")
    assert "does not know its migration chatsite.9999_from_the_future" in problem(database.check_migrations).words


# ---------------------------------------------------------------- processes and Redis


@pytest.fixture
def redis_server():
    server = RedisServer()
    yield server
    server.kill()


def test_redis_answers_and_names_its_version(settings, redis_server):
    settings.REDIS_URL = redis_server.url
    [found] = processes.check_redis()
    assert found.level is Level.OK and " answers in " in found.words


def test_a_redis_that_is_away_or_hangs_is_found_in_time(settings, redis_server):
    settings.REDIS_URL = redis_server.url.replace("//", "//:zq9@")
    begun = time.monotonic()
    with redis_server.stopped():
        assert "does not answer (Timeout" in problem(processes.check_redis).words
    assert time.monotonic() - begun < 5
    redis_server.kill()
    found = problem(processes.check_redis)
    assert found.level is Level.BROKEN and "refused" in found.words and "zq9" not in found.words + found.advice


@pytest.fixture
def place(ada, ben):
    return make_place(ada, ben)


def test_an_answer_that_waits_for_a_process(place):
    Generation.objects.update(state=State.QUEUED, queued_at=now() - timedelta(minutes=1))
    assert "1 answer has been waiting" in problem(processes.check_answers).words
    Generation.objects.update(state=State.COMPLETE)
    assert problems(processes.check_answers) == []


@pytest.mark.django_db
def test_no_process_runs(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert problem(processes.check_company).words == "No process of the site is running."


# ---------------------------------------------------------------- the machine


def test_a_disk_that_is_nearly_full(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = settings.MEDIA_ROOT = tmp_path
    for limit, level in (("SCARCE", Level.LOOK), ("EMPTY", Level.BROKEN)):
        monkeypatch.setattr(machine, limit, 10**18)
        assert {found.level for found in problems(machine.check_space)} == {level}


def test_a_data_dir_that_has_gone(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "gone"
    assert f"cannot write {tmp_path / 'gone'}" in problem(machine.check_writing).words


def test_few_open_files(monkeypatch):
    monkeypatch.setattr(machine, "FEW_FILES", 10**9)
    assert "tabs" in problem(machine.check_open_files).words


# ---------------------------------------------------------------- mail and model servers


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("console:", "Mail is printed"),
        ("smtp://ada%40example.org:zq9@mail.example.org", "crosses the network unencrypted"),
        ("smtp://127.0.0.1", "which mail servers refuse"),
    ],
)
def test_mail_that_will_not_arrive_or_is_not_safe(settings, url, words):
    settings.MAILERS = read_mailers(url, 5)
    settings.DEFAULT_FROM_EMAIL = read_sender("", settings.MAILERS, [])
    found = problem(mail.check_mail)
    assert words in found.words and "zq9" not in found.words


def test_mail_that_is_set_up_well_or_not_at_all(settings):
    settings.MAILERS, settings.DEFAULT_FROM_EMAIL = {}, "chatsite@localhost"
    assert problems(mail.check_mail) == []
    settings.MAILERS = read_mailers("smtp+tls://ada:zq9@mail.example.org", 5)
    settings.DEFAULT_FROM_EMAIL = "chat@example.org"
    assert problems(mail.check_mail) == []


@pytest.mark.django_db
def test_model_servers_that_offer_nothing_or_do_not_list():
    assert "People have no model" in problem(upstreams.check_models).words
    house = provider(listing_error="It refused the key.")
    model_of(house)
    assert problems(upstreams.check_models) == []
    found = problem(upstreams.check_listings)
    assert found.words == "The models of House could not be listed: It refused the key." and SECRET not in found.words


@pytest.fixture
def differences(monkeypatch):
    noted = deque(maxlen=clocks.REMEMBERED)
    monkeypatch.setattr(clocks, "_ahead", noted)
    return noted


@pytest.mark.parametrize(
    ("seconds", "words"), [(300, "(299|300) seconds behind"), (-3600, "(3600|3601) seconds ahead of")]
)
def test_a_clock_that_differs_from_those_of_model_servers(differences, seconds, words):
    clocks.note_date(format_datetime(datetime.now(UTC) + timedelta(seconds=seconds)))
    # The header has whole seconds.
    assert re.search(words, problem(upstreams.check_clock).words)


def test_one_wrong_server_and_wrong_headers_say_nothing_of_the_clock(differences):
    for date in (
        None,
        "",
        "yesterday",
        "Mon, 99 Jan 2026 00:00:00 GMT",
        format_datetime(datetime(1970, 1, 1, tzinfo=UTC)),
    ):
        clocks.note_date(date)
    assert len(differences) == 1
    for _ in range(2):
        clocks.note_date(format_datetime(datetime.now(UTC)))
    assert problems(upstreams.check_clock) == []


async def test_the_date_of_an_answer_is_noted(differences):
    with ModelServer("openai") as server:
        server.listing = Answer([b'{"data": []}'], headers={"Date": format_datetime(datetime(2020, 1, 1, tzinfo=UTC))})
        await list_models(server.build_endpoint())
    assert differences[-1] < -100_000_000


# ---------------------------------------------------------------- what was left behind


def test_an_answer_and_a_call_without_a_process(place):
    lease.local.take(is_alone=True)
    try:
        assert problems(left_behind.check_answers) == []
        Generation.objects.update(state=State.RUNNING, started_at=now() - timedelta(minutes=5), process=17)
        Entry.objects.create(source="gateway", process=17, started_at=now() - timedelta(minutes=5))
        assert "left 1 unfinished answer and 1 open call" in problem(left_behind.check_answers).words
        # The process may be alive after all.
        Process.objects.create(pk=17)
        assert problems(left_behind.check_answers) == []
    finally:
        lease.local.release()


def test_files_without_rows_and_rows_without_files(place, settings):
    assert problems(left_behind.check_files) == []
    folder = Path(settings.MEDIA_ROOT, "attachments", "ab")
    folder.mkdir(parents=True)
    (folder / "unknown").write_bytes(b"?")
    # The row of a file may be about to be written.
    assert problems(left_behind.check_files) == []
    os.utime(folder / "unknown", (0, 0))
    found = problem(left_behind.check_files)
    assert found.level is Level.LOOK and "1 file without a message" in found.words
    (folder / "unknown").unlink()
    Path(settings.MEDIA_ROOT, place.attachment.stored).unlink()
    found = problem(left_behind.check_files)
    assert found.level is Level.BROKEN and "1 attached file of the database is missing" in found.words


@pytest.mark.django_db
def test_a_restore_and_a_backup_that_did_not_finish(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert problems(left_behind.check_restore) == problems(left_behind.check_partial_files) == []
    (tmp_path / ".restoring").mkdir()
    assert "did not finish" in problem(left_behind.check_restore).words
    (tmp_path / ".backup.partial").mkdir()
    # It may still be under way.
    assert problems(left_behind.check_partial_files) == []
    with scratch_directory(tmp_path / ".backup.partial") as scratch:
        os.utime(scratch, (0, 0))
        assert problems(left_behind.check_partial_files) == []
    (tmp_path / ".backup.partial").mkdir()
    os.utime(tmp_path / ".backup.partial", (0, 0))
    (tmp_path / "sealing_key.replaced").write_text("zq9")
    words = " ".join(each.words for each in problems(left_behind.check_partial_files))
    assert ".backup.partial is the rest of" in words and "sealing_key.replaced is a key" in words and "zq9" not in words


@pytest.fixture
def store(settings, tmp_path):
    with ObjectStoreServer() as running:

        def use(**parts):
            storage, settings.MEDIA_ROOT = read_uploads_url(running.url(**parts), tmp_path / "uploads")
            settings.STORAGES = settings.STORAGES | {"default": storage}

        running.use = use
        use()
        yield running


def test_a_store_that_keeps_files_is_fine(store):
    assert problems(uploads.check_place) == []
    assert problems(uploads.check_encryption) == []
    assert store.objects == {}
    assert {method for method, _ in store.requests} == {"PUT", "GET", "DELETE"}


def test_a_store_that_refuses_or_is_away(store):
    store.use(secret="loud")
    assert problem(uploads.check_place).words.startswith("The store of attached files refuses the access key")
    store.use(bucket="other")
    assert problem(uploads.check_place).advice == "Create it, or correct its name."
    store.use()
    store.stop()
    assert "cannot be reached" in problem(uploads.check_place).words
    store.start()


def test_a_store_without_tls_elsewhere(settings, store):
    options = settings.STORAGES["default"]["OPTIONS"] | {"endpoint_url": "http://store.example"}
    settings.STORAGES = settings.STORAGES | {"default": settings.STORAGES["default"] | {"OPTIONS": options}}
    assert problem(uploads.check_encryption).words == "Attached files cross the network unencrypted."
