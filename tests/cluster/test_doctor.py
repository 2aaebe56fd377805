"""The doctor sees what several processes lack."""

import pytest

from tests.browser.site import Site, manage
from tests.cluster.cluster import Cluster, Worker


def examine(cluster: Cluster, **settings: str) -> str:
    return manage(cluster.data, "doctor", "--offline", **cluster.settings, **settings).stdout


def test_processes_that_write_answers_and_hear_each_other_are_fine(cluster: Cluster) -> None:
    cluster.start(Site, SERVE_ANSWERS="false")
    assert "No process writes answers" in examine(cluster)
    cluster.start(Worker)
    found = examine(cluster)
    assert "2 processes use the database." in found and "\n0 broken, " in found
    assert " answers in " in found


@pytest.mark.rare
def test_processes_without_redis_between_them(cluster: Cluster) -> None:
    cluster.settings["REDIS_URL"] = ""
    cluster.start(Site, Site)
    found = examine(cluster)
    assert "2 processes use the database, and REDIS_URL is not set" in found


def test_what_a_killed_process_left(cluster: Cluster) -> None:
    [site] = cluster.start(Site)
    site.process.kill()
    site.process.wait()
    assert "No process of the site is running." in examine(cluster)
