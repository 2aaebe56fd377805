"""A site does not start with other keys than those that its database was sealed and used with."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatsite.keys import RESEALED, SIGNED_OUT, adopt_keys, require_adopted_keys
from chatsite.models import KeyFingerprint, Process
from chatsite.process import lease
from tests.browser.site import Site, manage
from tests.upstreams.views.providers import SECRET, provider
from tools.models import ToolServer
from upstreams.catalogue.environment import sync_providers
from upstreams.models import Provider

OLD, NEW, THIRD = "the old key", "the new key", "the third key"
ADD_PROVIDER = """
from upstreams.models import Provider
provider = Provider(name="House", protocol="openai", base_url="http://models.example/v1")
provider.set_key("sk-of-the-test"); provider.save()
"""


@pytest.fixture
def keys(db, settings):
    """The settings. The database has been used with OLD."""
    settings.SECRET_KEY = settings.SEALING_KEY = OLD
    assert adopt_keys() == []
    return settings


@pytest.fixture
def sealed(keys):
    """The same, with a provider's key and a tool server's header, both sealed with OLD."""
    provider()
    add_server()
    return keys


def add_server() -> None:
    server = ToolServer(name="Drawer", url="http://tools.example/mcp")
    server.set_header("X-Key", SECRET)
    server.save()


def can_read() -> bool:
    [made], [server] = Provider.objects.filter(source="person"), ToolServer.objects.all()
    return made.is_key_readable and server.are_headers_readable


def refuse() -> str:
    before = list(KeyFingerprint.objects.values_list("setting", "digest"))
    with pytest.raises(ImproperlyConfigured) as refusal:
        adopt_keys()
    assert list(KeyFingerprint.objects.values_list("setting", "digest")) == before
    return str(refusal.value)


def damage_provider() -> None:
    assert Provider.objects.filter(source="person").update(sealed_key="damaged")


def test_the_fingerprints_differ_and_are_not_the_keys(keys):
    found = dict(KeyFingerprint.objects.values_list("setting", "digest"))
    assert found.keys() == {"SECRET_KEY", "SEALING_KEY"} and len(set(found.values())) == 2
    assert OLD not in str(found)


def test_another_sealing_key_is_refused_in_a_sentence(sealed):
    sealed.SEALING_KEY = NEW
    sentence = refuse()
    assert "SEALING_KEY is not the key that sealed" in sentence and "--accept-sealing-key" in sentence
    assert NEW not in sentence and OLD not in sentence
    sealed.SEALING_KEY = OLD
    assert can_read()


@pytest.mark.parametrize("add", [provider, add_server])
def test_one_sealed_secret_is_enough_to_refuse(keys, add):
    add()
    keys.SEALING_KEY = NEW
    refuse()


def test_another_sealing_key_is_taken_if_people_have_sealed_nothing(keys):
    """The keys of the demo and of the environment are sealed again at each start."""
    keys.OPENAI_API_KEY = SECRET
    sync_providers()
    keys.SEALING_KEY = NEW
    assert adopt_keys() == []
    sync_providers()
    assert all(each.is_key_readable for each in Provider.objects.all())
    provider()
    keys.SEALING_KEY = OLD
    refuse()


def test_the_previous_key_as_a_fallback_seals_everything_anew(sealed):
    sealed.SEALING_KEY, sealed.SEALING_KEY_FALLBACKS = NEW, [THIRD, OLD]
    assert adopt_keys() == [RESEALED]
    assert adopt_keys() == []
    sealed.SEALING_KEY_FALLBACKS = []
    assert can_read() and adopt_keys() == []
    sealed.SEALING_KEY = OLD
    refuse()


def test_a_fallback_that_is_not_the_previous_key_is_refused(sealed):
    sealed.SEALING_KEY, sealed.SEALING_KEY_FALLBACKS = NEW, [THIRD]
    refuse()


def test_a_secret_that_was_unreadable_before_does_not_prevent_a_change_of_the_key(sealed):
    damage_provider()
    sealed.SEALING_KEY, sealed.SEALING_KEY_FALLBACKS = NEW, [OLD]
    assert adopt_keys() == [RESEALED]


def test_a_lost_key_can_be_given_up_and_found_again(sealed):
    sealed.SEALING_KEY = NEW
    assert adopt_keys(accepts_sealing_key=True) == []
    assert adopt_keys() == [] and not can_read()
    # Everything is still sealed with the key that was lost.
    sealed.SEALING_KEY = OLD
    assert adopt_keys() == [] and can_read()


def test_an_older_database_takes_only_a_key_that_opens_a_secret(sealed):
    KeyFingerprint.objects.all().delete()
    sealed.SEALING_KEY = NEW
    assert "SEALING_KEY is not the key" in refuse()
    damage_provider()
    sealed.SEALING_KEY = OLD
    assert adopt_keys() == [] and KeyFingerprint.objects.count() == 2


def test_another_secret_key_signs_everybody_out_and_says_so(keys):
    keys.SECRET_KEY = NEW
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY differs"):
        require_adopted_keys()
    assert adopt_keys() == [SIGNED_OUT]
    require_adopted_keys()
    assert adopt_keys() == []


def test_sessions_outlast_a_change_of_the_secret_key_with_a_fallback(keys, ada, browser_of):
    browser = browser_of(ada)
    keys.SECRET_KEY, keys.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert adopt_keys() == []
    assert browser.get("/accounts/").status_code == 200
    keys.SECRET_KEY_FALLBACKS = []
    browser = browser_of(ada)
    assert browser.get("/accounts/").status_code == 200


@pytest.mark.parametrize("setting", ["SECRET_KEY", "SEALING_KEY"])
def test_no_key_changes_while_another_process_lives(keys, monkeypatch, setting):
    other = Process.objects.create()
    # The other process beats while this one waits.
    monkeypatch.setattr(lease.time, "sleep", lambda _: Process.objects.filter(pk=other.pk).update(beat=other.beat + 1))
    setattr(keys, setting, NEW)
    assert f"with another {setting}." in refuse()


# ---------------------------------------------------------------- real processes


def test_a_start_with_another_sealing_key_is_refused(tmp_path):
    assert manage(tmp_path, "prepare", SEALING_KEY=OLD).returncode == 0
    assert manage(tmp_path, "shell", "--no-imports", "-c", ADD_PROVIDER, SEALING_KEY=OLD).returncode == 0
    assert "SEALING_KEY is not the key that sealed" in refuse_to(tmp_path, "serve", SEALING_KEY=NEW)
    assert manage(tmp_path, "prepare", "--accept-sealing-key", SEALING_KEY=NEW).returncode == 0
    assert manage(tmp_path, "prepare", SEALING_KEY=NEW).returncode == 0


def refuse_to(data: Path, command: str, **settings: str) -> str:
    done = manage(data, command, **settings)
    assert done.returncode == 1, done.stdout
    [sentence] = done.stderr.strip().splitlines()
    return sentence


def test_no_key_changes_while_a_site_runs(tmp_path):
    with Site(tmp_path, SECRET_KEY=OLD):
        assert "with another SECRET_KEY." in refuse_to(tmp_path, "prepare", SECRET_KEY=NEW)


def test_another_server_is_refused_until_the_site_is_prepared_for_the_new_key(tmp_path):
    assert manage(tmp_path, "prepare", SECRET_KEY=OLD).returncode == 0
    code = "import asyncio; from chatsite.process.lifespan import try_to_start; print(asyncio.run(try_to_start()))"
    sentence = manage(tmp_path, "shell", "--no-imports", "-c", code, SECRET_KEY=NEW).stdout
    assert "SECRET_KEY differs from the one" in sentence and "manage.py prepare" in sentence
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM chatsite_process").fetchone() == (0,)


def test_a_restored_backup_starts_with_its_own_keys_and_not_with_others(tmp_path):
    first, second, backup = tmp_path / "first", tmp_path / "second", tmp_path / "backup.tar"
    assert manage(first, "prepare", SECRET_KEY="").returncode == 0
    assert manage(first, "shell", "--no-imports", "-c", ADD_PROVIDER, SECRET_KEY="").returncode == 0
    assert manage(first, "backup", str(backup), SECRET_KEY="").returncode == 0
    assert manage(second, "restore", str(backup), SECRET_KEY="").returncode == 0
    assert "SEALING_KEY is not the key" in refuse_to(second, "prepare", SECRET_KEY="", SEALING_KEY=NEW)
    prepared = manage(second, "prepare", SECRET_KEY="")
    assert prepared.returncode == 0 and SIGNED_OUT not in prepared.stdout
