"""`manage.py doctor` prints what it finds, and needs neither a running site nor a database."""

import socket

import pytest

from tests.browser.site import Site, manage
from tests.fakes import ModelServer
from tests.mail.mail_server import MailServer

KEYS = {"SECRET_KEY": "", "SEALING_KEY": ""}


def test_a_new_site_has_nothing_broken(tmp_path):
    assert manage(tmp_path, "prepare", **KEYS).returncode == 0
    done = manage(tmp_path, "doctor", **KEYS)
    assert done.returncode == 0, done.stdout
    assert "All migrations are applied." in done.stdout and "\n0 broken, " in done.stdout
    for name in ("secret_key", "sealing_key"):
        assert (tmp_path / name).read_text().strip() not in done.stdout + done.stderr


def test_a_database_without_tables_is_one_finding(tmp_path):
    done = manage(tmp_path, "doctor", **KEYS)
    assert done.returncode == 1 and "\n1 broken, " in done.stdout
    assert "python manage.py prepare" in done.stdout and "no such table" not in done.stdout


def test_model_servers_and_mail_are_tried(tmp_path):
    with ModelServer("openai") as model, MailServer() as server:
        settings = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "zq9secret", **KEYS}
        settings["EMAIL_URL"] = f"smtp://ada:zq9secret@127.0.0.1:{server.port}"
        assert manage(tmp_path, "prepare", **settings).returncode == 0
        done = manage(tmp_path, "doctor", "--mail", "ada@example.org", **settings)
        assert done.returncode == 0, done.stdout
        assert "responds and offers 1 model." in done.stdout
        assert "accepted the message to ada@example.org" in done.stdout and len(server.messages) == 1
        server.replies["RCPT"] = "550 unknown"
        done = manage(tmp_path, "doctor", "--offline", "--mail", "ada@example.org", **settings)
        assert done.returncode == 1 and "refused the recipient (“550 unknown”)" in done.stdout
        assert "responds and offers" not in done.stdout and "zq9secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("hangs", [False, True])
def test_a_database_and_a_redis_that_are_away_are_broken(tmp_path, hangs):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if not hangs:
            silent.close()
        done = manage(
            tmp_path,
            "doctor",
            DATABASE_URL=f"postgres://ada:zq9secret@127.0.0.1:{port}/chat",
            REDIS_URL=f"redis://ada:zq9secret@127.0.0.1:{port}/0",
            **KEYS,
        )
    assert done.returncode == 1
    assert "Could not connect to the database" in done.stdout and "Redis does not answer" in done.stdout
    assert "The disk of" in done.stdout and "zq9secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_prepared_is_broken_and_nothing_else_guesses(tmp_path):
    done = manage(tmp_path, "doctor", **KEYS)
    assert done.returncode == 1 and "The database lacks" in done.stdout and "manage.py prepare" in done.stdout
    assert done.stdout.count("Broken") == 1 and "no such table" not in done.stdout + done.stderr


def test_a_file_that_is_not_a_database_is_broken(tmp_path):
    (tmp_path / "db.sqlite3").write_bytes(b"not a database" * 1000)
    done = manage(tmp_path, "doctor", **KEYS)
    assert done.returncode == 1 and "is not an SQLite database" in done.stdout and "Traceback" not in done.stderr


def test_wrong_settings_are_a_sentence(tmp_path):
    done = manage(tmp_path, "doctor", EMAIL_TIMEOUT="soon")
    assert done.returncode == 1 and done.stderr.startswith("The settings cannot be used: EMAIL_TIMEOUT must be")


def test_a_site_that_runs_is_found_and_not_disturbed(tmp_path):
    with Site(tmp_path, SECRET_KEY=""):
        done = manage(tmp_path, "doctor", SECRET_KEY="")
        assert done.returncode == 0 and "1 process uses the database." in done.stdout, done.stdout
