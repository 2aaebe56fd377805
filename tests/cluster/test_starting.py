"""Several processes start at once, and of different versions one after the other."""

import signal

import pytest

from tests.browser.site import PATIENCE, Site, manage
from tests.cluster.cluster import Cluster, Worker
from tests.installation import until

LATEST = "SELECT id FROM django_migrations WHERE app = 'conversations' ORDER BY id DESC LIMIT 1"


def test_processes_that_start_at_once_prepare_a_new_site_once(cluster: Cluster) -> None:
    cluster.data.mkdir()
    starting = [Site(cluster.data, **cluster.settings) for _ in range(3)]
    cluster.processes += starting
    for each in starting:
        each.spawn()
    for each in starting:
        each.await_line(Site.ready)
    assert cluster.query("SELECT count(*) FROM accounts_user") == [(1,)]
    names = [name for [name] in cluster.query("SELECT name FROM upstreams_provider")]
    assert len(names) == len(set(names)) >= 2
    assert sum(each.has_printed("Updated the database") for each in starting) == 1


def test_a_newer_version_does_not_migrate_under_processes_of_an_older_one(cluster: Cluster) -> None:
    [first] = cluster.start(Site)
    # As if the first process was of a version without the latest migration.
    [(latest,)] = cluster.query(LATEST)
    cluster.query("DELETE FROM django_migrations WHERE id = %s RETURNING id", latest)
    with pytest.raises(AssertionError, match="Processes of an earlier version are using the database"):
        cluster.start(Site)
    with pytest.raises(AssertionError, match="not prepared for this version"):
        cluster.start(Worker)
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(PATIENCE) == 0
    # Nobody uses the database now. What the migration does has been done, so it need not be done again.
    assert manage(cluster.data, "migrate", "conversations", "--fake", **cluster.settings).returncode == 0
    prepared = manage(cluster.data, "prepare", **cluster.settings)
    assert prepared.returncode == 0, prepared.stderr
    cluster.start(Site)


@pytest.mark.parametrize("setting", ["SECRET_KEY", "SEALING_KEY"])
def test_a_process_with_another_key_is_refused(cluster: Cluster, setting: str) -> None:
    cluster.start(Site)
    for kind, words in {Site: "Other processes use this database with another", Worker: "differs from the one"}.items():
        with pytest.raises(AssertionError, match=words) as refusal:
            cluster.start(kind, **{setting: "another key"})
        assert setting in str(refusal.value) and "another key" not in str(refusal.value).replace(setting, "")
    cluster.start(Worker)


def test_of_processes_with_different_keys_that_start_at_once_those_of_one_key_start(cluster: Cluster) -> None:
    cluster.data.mkdir()
    starting = [Site(cluster.data, **cluster.settings, SECRET_KEY=f"key {number}") for number in range(2)]
    cluster.processes += starting
    for each in starting:
        each.spawn()
    until(lambda: any(each.process.poll() is not None for each in starting), PATIENCE)
    until(lambda: any(each.has_printed(Site.ready) for each in starting), PATIENCE)
    assert sum(each.process.poll() is None for each in starting) == 1
