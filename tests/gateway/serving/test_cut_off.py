"""A reply is cut off when its key ends or the site stops. The program gets an error, never a reply that looks whole."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anthropic
import openai
import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.keys import ApiKey
from accounts.models import User
from accounts.sessions import announce_session_end
from gateway.serving import running
from ledger.models import Entry
from tests.browser.site import ROOT, Site
from tests.fakes import ModelServer
from tests.gateway.serving.asking import PROGRAMS, MessagesProgram
from tests.gateway.serving.programs import PATIENCE, Programs, asks, until
from tests.gateway.serving.test_refusals import UNAUTHORISED, Program
from tests.served import run_elsewhere
from tests.steps import Gate, Hang, Pause
from tests.wires import is_text, reply_wire
from upstreams.endpoint import ProtocolName

each_program = pytest.mark.parametrize("program", PROGRAMS)
SDK_ERRORS = (anthropic.APIStatusError, openai.APIError)


class Streaming:
    """A reply in an SDK, of which the first words have arrived."""

    def __init__(self, program: Any, model: str) -> None:
        body = {"model": model, "max_tokens": 2000, "messages": [program.question("text")], "stream": True}
        if program.protocol is ProtocolName.ANTHROPIC:
            self._reply = program.client.messages.create(**body)
        else:
            self._reply = program.client.chat.completions.create(**body)
        self.seen, self.events = "", iter(self._reply)
        while "Hello" not in self.seen:
            self.seen += str(next(self.events))

    def error(self) -> Any:
        """The exception that the SDK raises in place of further events."""
        with pytest.raises(SDK_ERRORS) as caught:
            for event in self.events:
                self.seen += str(event)
        return caught.value

    def close(self) -> None:
        self._reply.close()


@pytest.fixture
def ben(programs: Programs) -> Iterator[User]:
    ben = User.objects.create_user("ben", "ben@example.org", "a quiet reading room", name="Ben Okri")
    yield ben
    User.objects.filter(pk=ben.pk).delete()


@pytest.fixture
def bens(ben: User) -> tuple[ApiKey, str]:
    """Ben's key and its secret."""
    key = ApiKey(person=ben, name="Ben's")
    secret = key.renew_secret()
    key.save()
    return key, secret


def hang_half_way(server: ModelServer) -> None:
    wire = reply_wire(server.protocol, ["Hello", " there"])
    last = next(index for index, event in enumerate(wire) if is_text(event))
    server.stream(*wire[: last + 1], Hang())


def administrator() -> Client:
    client = Client()
    root, _ = User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)
    client.force_login(root)
    return client


def by_admin_page(key: ApiKey) -> None:
    page = f"/admin/accounts/user/{key.person_id}/change/"
    fields = {"username": key.person.username, "name": key.person.name, "email": key.person.email}
    assert administrator().post(page, fields).status_code == 302


def by_admin_action(key: ApiKey) -> None:
    fields = {"action": "deactivate", "_selected_action": [key.person_id]}
    assert administrator().post("/admin/accounts/user/", fields).status_code == 302


def by_command(key: ApiKey) -> None:
    run_elsewhere(f"from accounts.models import User; User.objects.filter(pk={key.person_id}).update(is_active=False)")


ENDINGS: dict[str, tuple[Callable[[ApiKey], object], str]] = {
    "admin page": (by_admin_page, "was deactivated"),
    "admin action": (by_admin_action, "was deactivated"),
    "another process": (by_command, "was deactivated"),
    "a query": (lambda key: User.objects.filter(pk=key.person_id).update(is_active=False), "was deactivated"),
    "revoked": (lambda key: key.revoke(), "was revoked"),
    "expired": (lambda key: ApiKey.objects.filter(pk=key.pk).update(expires_at=now()), "has expired"),
    "key deleted": (lambda key: key.delete(), "was deleted"),
    "person deleted": (lambda key: key.person.delete(), "was deleted"),
}


@each_program
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_stream_ends_within_a_second_when_its_key_does(
    programs: Programs, upstream: ModelServer, bens: tuple[ApiKey, str], program: Program, ending: str
) -> None:
    hang_half_way(upstream)
    key, secret = bens
    end, reason = ENDINGS[ending]
    kind = "authentication_error" if program is MessagesProgram else "invalid_api_key"
    with closing(Streaming(program(programs), asks(upstream.protocol))):
        stream = Streaming(program(programs, api_key=secret), asks(upstream.protocol))
        end(key)
        ended = time.monotonic()
        error = stream.error()
        assert time.monotonic() - ended < 1
        assert reason in error.message and kind in str(error.body)
        assert upstream.disconnected.wait(PATIENCE)
        until(lambda: not Entry.objects.open().filter(key_name="Ben's").exists())
        entry = Entry.objects.filter(key_name="Ben's").latest("pk")
        assert (entry.outcome, entry.is_estimate) == ("stopped", True) and entry.output_tokens
        # Nobody else's reply is touched.
        assert Entry.objects.open().get().key == programs.key


@each_program
def test_a_reply_in_one_piece_is_refused_when_its_key_ends(
    programs: Programs, upstream: ModelServer, bens: tuple[ApiKey, str], program: Program
) -> None:
    upstream.stream(Hang())
    key, secret = bens
    upstream.asked.clear()
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(program(programs, api_key=secret).ask, asks(upstream.protocol))
        assert upstream.asked.wait(PATIENCE)
        key.revoke()
        with pytest.raises(UNAUTHORISED, match="was revoked"):
            asking.result(PATIENCE)


@each_program
def test_signing_out_and_a_new_password_do_not_end_a_stream(
    programs: Programs, upstream: ModelServer, ben: User, bens: tuple[ApiKey, str], program: Program
) -> None:
    """A key does not depend on its person's sessions."""
    gate = Gate()
    *begun, last = reply_wire(upstream.protocol, ["Hello", " there"])
    upstream.stream(*begun, gate, last)
    stream = Streaming(program(programs, api_key=bens[1]), asks(upstream.protocol))
    client = Client()
    client.force_login(ben)
    client.post("/accounts/logout/")
    announce_session_end(ben.pk)
    gate.open()
    for event in stream.events:
        stream.seen += str(event)
    assert "there" in stream.seen and programs.settled().outcome == "complete"


@each_program
def test_a_stopping_site_ends_streams_with_an_error(
    programs: Programs,
    upstream: ModelServer,
    own_calls: running.RunningCalls,
    site_loop: asyncio.AbstractEventLoop,
    program: Program,
) -> None:
    hang_half_way(upstream)
    stream = Streaming(program(programs), asks(upstream.protocol))
    stopping = asyncio.run_coroutine_threadsafe(own_calls.close(), site_loop)
    with pytest.raises(TimeoutError):
        stopping.result(0.1)
    with pytest.raises((anthropic.APIStatusError, openai.APIStatusError)) as refused:
        program(programs).ask(asks(upstream.protocol))
    assert refused.value.status_code == 503 and "restarting" in refused.value.message
    stopping.cancel()
    error = stream.error()
    assert "restarting" in error.message
    assert upstream.disconnected.wait(PATIENCE)
    assert programs.settled().outcome == "stopped"


@each_program
@pytest.mark.parametrize("is_revoked", [True, False])
def test_a_reply_whose_end_has_arrived_is_complete(
    programs: Programs, upstream: ModelServer, bens: tuple[ApiKey, str], program: Program, is_revoked: bool
) -> None:
    """Although the upstream keeps the connection open a little longer."""
    upstream.stream(*reply_wire(upstream.protocol, ["Hello", " there"]), Pause(0.09))
    stream = Streaming(program(programs, api_key=bens[1]), asks(upstream.protocol))
    if is_revoked:
        bens[0].revoke()
        announce_session_end(bens[0].person_id)
    for event in stream.events:
        stream.seen += str(event)
    stream.close()
    assert "there" in stream.seen and programs.settled().outcome == "complete"


@each_program
def test_a_terminated_process_ends_its_streams_with_an_error(
    upstream: ModelServer, tmp_path: Path, program: Program
) -> None:
    hang_half_way(upstream)
    vendor = "ANTHROPIC" if upstream.protocol is ProtocolName.ANTHROPIC else "OPENAI"
    provider = {f"{vendor}_API_KEY": "key-of-the-test", f"{vendor}_BASE_URL": upstream.url}
    with Site(tmp_path, **provider, SHUTDOWN_GRACE="0") as site:
        secret = create_key(site)
        asking = SimpleNamespace(
            anthropic=lambda: anthropic.Anthropic(base_url=site.url, api_key=secret, max_retries=0),
            openai=lambda: openai.OpenAI(base_url=f"{site.url}/v1", api_key=secret, max_retries=0),
        )
        models = asking.openai().models
        until(lambda: "test-model" in {model.id for model in models.list()})
        stream = Streaming(program(asking), "test-model")
        site.process.send_signal(signal.SIGTERM)
        assert "restarting" in stream.error().message
        assert site.process.wait(PATIENCE) == 0


def create_key(site: Site) -> str:
    """Creates a person with an API key in the site's database. Returns the key's secret."""
    code = (
        "from accounts.models import ApiKey, User; key = ApiKey(person=User.objects.create(username='ada'), name='k');"
        "secret = key.renew_secret(); key.save(); print(secret)"
    )
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
    made = subprocess.run(command, cwd=ROOT, env=site.environment, check=True, capture_output=True, timeout=60)
    return made.stdout.decode().strip()
