"""Behind the recommended proxies, with TLS, people sign in and watch answers grow."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.site import ADMINISTRATOR, PASSWORD, Site, free_port
from tests.caddy import caddy
from tests.certificates import Certificate, make_certificate
from tests.cluster.cluster import Person
from tests.cluster.listener import Listener
from tests.fakes import ModelServer
from tests.installation import until
from tests.nginx import nginx

PROXIES = pytest.mark.parametrize("proxy", [nginx, caddy])
PIECES = [f"word{number} " for number in range(10)]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        running.say(*PIECES)
        yield running


@pytest.fixture
def site(tmp_path: Path, server: ModelServer) -> Iterator[Site]:
    settings = {
        **{"HTTPS": "true", "BEHIND_PROXY": "true", "ALLOWED_HOSTS": "localhost"},
        **{"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "key-of-the-test"},
        **{"DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
    }
    with Site(tmp_path / "data", **settings) as running:
        yield running
        print(*running.console, sep="\n")


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@PROXIES
def test_an_answer_grows_over_tls(tmp_path: Path, site: Site, server: ModelServer, certificate, proxy) -> None:
    # Nothing listens at the second port, as while that process restarts.
    with proxy(tmp_path, [site.port, free_port()], certificate) as address:
        person = Person(address, certificate.build_context())
        assert {cookie.secure for cookie in person.http.cookies.jar} == {True}
        until(lambda: person.page("/").find("#model option"))
        server.hold()
        conversation = str(person.post("/turns/", text="Well?").headers["location"])
        with Listener(person, conversation) as tab:
            server.step(3)
            # The proxy passes each piece on at once: the rest is still to come.
            until(lambda: tab.has_heard("word2"))
            assert not tab.has_heard("word3")
            server.release()
            until(lambda: tab.has_heard("word9"))


@PROXIES
def test_large_files_pass_and_the_client_has_its_own_address(tmp_path: Path, site: Site, certificate, proxy) -> None:
    with proxy(tmp_path, [site.port], certificate) as address:
        person = Person(address, certificate.build_context())
        headers = {"x-csrftoken": person.http.cookies["csrftoken"]}
        text = b"A line about lakes.\n" * 20_000
        attached = person.http.post("/attachments/", files={"files": ("lakes.txt", text)}, headers=headers)
        assert attached.status_code < 300, attached.text
        # Only private addresses can read this page, only over TLS, and a client can claim both.
        forged = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http"}
        assert person.http.get("/metrics", headers=forged).status_code == 200


@PROXIES
def test_the_proxy_and_not_the_client_chooses_the_id_of_a_request(
    tmp_path: Path, site: Site, certificate, proxy
) -> None:
    with proxy(tmp_path, [site.port], certificate) as address:
        person = Person(address, certificate.build_context())
        answers = [person.http.get("/accounts/", headers={"x-request-id": "chosen-by-client"}) for _ in range(2)]
        ids = {answer.headers["x-request-id"] for answer in answers}
        # nginx makes 32 hexadecimal digits, and Caddy a UUID.
        assert len(ids) == 2 and all(re.fullmatch(r"[0-9a-f-]{32,36}", id) for id in ids)
