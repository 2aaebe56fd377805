"""Settings come from the environment and the `.env` file. Secrets are generated."""

import json
import os
import shutil
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from stat import S_IMODE

import pytest

from chatsite.installation.secret import read_or_create_secret
from tests.browser.site import manage

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "checked-not-served-0123456789-abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "chat.example,intranet",
    "HTTPS": "true",
}


@pytest.fixture
def installation(tmp_path):
    """A copy of the settings without a `.env` file or data."""
    shutil.copytree(ROOT / "chatsite", tmp_path / "chatsite", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def read(installation: Path, *names: str, **environment: str):
    """Returns the settings of these names, as a new process with only this environment reads them."""
    code = "import json, sys; from chatsite import settings as s\n"
    code += "print(json.dumps({name: getattr(s, name, None) for name in sys.argv[1:]}, default=str))"
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=installation, env=clean | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(process.stdout)


def test_the_defaults_serve_only_this_machine_from_sqlite(installation):
    found = read(installation, "DEBUG", "HOST", "PORT", "ALLOWED_HOSTS", "DATA_DIR", "DATABASES", "SECURE_SSL_REDIRECT")
    assert (found["DEBUG"], found["HOST"], found["PORT"]) == (False, "127.0.0.1", 8000)
    assert found["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert found["DATABASES"]["default"]["NAME"] == f"{installation}/var/db.sqlite3"
    assert not found["SECURE_SSL_REDIRECT"]


def test_a_secret_key_is_generated_once_and_readable_only_by_its_owner(installation):
    first, second = read(installation, "SECRET_KEY"), read(installation, "SECRET_KEY")
    assert first == second
    assert len(first["SECRET_KEY"]) >= 50
    for name in ("secret_key", "sealing_key"):
        assert S_IMODE((installation / "var" / name).stat().st_mode) == 0o600


def test_each_secret_is_different(installation):
    found = read(installation, "SECRET_KEY", "SEALING_KEY")
    assert found["SECRET_KEY"] != found["SEALING_KEY"]


def test_simultaneous_first_starts_share_one_secret(tmp_path):
    with get_context("spawn").Pool(3) as pool:
        assert len(set(pool.map(read_or_create_secret, [tmp_path / "secret_key"] * 8))) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


@pytest.mark.parametrize("name", ["secret_key", "sealing_key"])
@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_a_sentence(tmp_path, name, content):
    """A full disk or a power failure may have left it. An empty key would seal nothing."""
    (tmp_path / name).write_bytes(content)
    done = manage(tmp_path, "check", SECRET_KEY="")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        f"The settings cannot be used: {tmp_path / name} contains no secret. "
        "Restore the file from a backup, or delete it to get a new secret."
    ]


def test_a_secret_key_from_the_environment_is_used_and_not_stored(installation):
    assert read(installation, "SECRET_KEY", SECRET_KEY="given")["SECRET_KEY"] == "given"
    assert not (installation / "var" / "secret_key").exists()


def test_the_environment_overrides_the_dot_env_file(installation):
    (installation / ".env").write_text("PORT=9001\nHOST=0.0.0.0\nDJANGO_SUPERUSER_USERNAME=boss\n")
    found = read(installation, "PORT", "HOST", "SUPERUSER_USERNAME", PORT="9002")
    assert found == {"PORT": 9002, "HOST": "0.0.0.0", "SUPERUSER_USERNAME": "boss"}


def test_data_is_stored_in_data_dir(installation, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    found = read(installation, "DATA_DIR", "MEDIA_ROOT", "STATIC_ROOT", DATA_DIR=str(elsewhere))
    assert all(path.startswith(str(elsewhere)) for path in found.values())
    assert (elsewhere / "secret_key").exists()


def test_database_url_selects_another_database(installation):
    found = read(installation, "DATABASES", DATABASE_URL="postgres://ada:pass@db.example:5433/chat")["DATABASES"][
        "default"
    ]
    assert (found["HOST"], found["PORT"], found["NAME"], found["USER"]) == ("db.example", 5433, "chat", "ada")


def test_nothing_is_unpickled_from_redis(installation):
    found = read(installation, "CACHES", "REDIS_URL", REDIS_URL="redis://cache.example:6379/1")
    assert found["REDIS_URL"] == "redis://cache.example:6379/1"
    assert found["CACHES"]["default"]["BACKEND"] == "django.core.cache.backends.locmem.LocMemCache"


def test_https_turns_on_secure_cookies_redirects_and_hsts(installation):
    names = ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS"]
    assert all(read(installation, *names, HTTPS="true").values())
    assert not any(read(installation, *names).values())


def test_proxy_headers_are_trusted_only_behind_a_proxy(installation):
    names = ["SECURE_PROXY_SSL_HEADER", "ALLAUTH_TRUSTED_PROXY_COUNT"]
    assert read(installation, *names) == {"SECURE_PROXY_SSL_HEADER": None, "ALLAUTH_TRUSTED_PROXY_COUNT": 0}
    found = read(installation, *names, BEHIND_PROXY="true")
    assert found == {"SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"], "ALLAUTH_TRUSTED_PROXY_COUNT": 1}


def test_shutdown_grace_is_in_seconds(installation):
    assert read(installation, "SHUTDOWN_GRACE", SHUTDOWN_GRACE="2.5") == {"SHUTDOWN_GRACE": 2.5}


@pytest.mark.parametrize("name", ["ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"])
def test_a_base_url_without_http_prevents_the_start(installation, name):
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        read(installation, "DEBUG", **{name: "api.example"})
    assert f"{name} must begin with http:// or https://" in refusal.value.stderr


def test_the_content_security_policy_allows_nothing_inline(installation):
    policy = read(installation, "SECURE_CSP")["SECURE_CSP"]
    assert "unsafe" not in json.dumps(policy)
    assert policy["default-src"] == ["'none'"]


def test_djangos_own_deployment_check_finds_nothing(tmp_path):
    environment = os.environ | PRODUCTION | {"DATA_DIR": str(tmp_path)}
    check = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LOG_FORMAT", "yaml", "LOG_FORMAT must be text or json."),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL."),
    ],
)
def test_a_wrong_setting_of_the_log_is_a_sentence(tmp_path, name, value, sentence):
    done = manage(tmp_path, "check", **{name: value})
    assert done.returncode == 1
    assert done.stderr.strip() == f"The settings cannot be used: {sentence}"
