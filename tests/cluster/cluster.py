"""Several real processes of one site, on PostgreSQL and Redis."""

import signal
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from tests.browser.site import ADMINISTRATOR, PASSWORD, Site
from tests.cluster.storyteller import Storyteller
from tests.installation import until
from tests.pages import Page
from tests.postgres import PostgresServer
from tests.redis_server import RedisServer
from upstreams.endpoint import ProtocolName

PATIENCE = 60.0


class Worker(Site):
    ready = "chatsite is writing answers"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "manage.py", "work"]


class Cluster:
    """`with Cluster(…) as cluster:` has a database without processes. Those that are started end with the block."""

    def __init__(self, data: Path, postgres: PostgresServer, redis: RedisServer, **settings: str) -> None:
        self.data, self.database_url = data, postgres.create_database()
        self.tellers = [Storyteller(protocol) for protocol in (ProtocolName.ANTHROPIC, ProtocolName.OPENAI)]
        self.settings = {"DATABASE_URL": self.database_url, "REDIS_URL": redis.url, "SHUTDOWN_GRACE": "2", **settings}
        self.processes: list[Site] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        messages, chat = (self._stack.enter_context(teller) for teller in self.tellers)
        self.settings |= {
            **{"ANTHROPIC_BASE_URL": messages.url, "ANTHROPIC_API_KEY": "key-of-the-test"},
            **{"OPENAI_BASE_URL": chat.url, "OPENAI_API_KEY": "key-of-the-test"},
            **{"DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
        }
        return self

    def __exit__(self, *_: object) -> None:
        rows = self.query("SELECT id, state, claims, process, error_message FROM conversations_generation ORDER BY id")
        print("== Generations", *rows, sep="\n")
        for each in self.processes:
            print(f"== {type(each).__name__} at port {each.port}", *each.console, sep="\n")
            each.process.kill()
        for each in self.processes:
            each.__exit__()
        self._stack.close()

    def start(self, *kinds: type[Site], **settings: str) -> list[Site]:
        """Starts processes one after the other: the first prepares the database."""
        started = []
        for kind in kinds:
            started.append(kind(self.data, **self.settings, **settings))
            self.processes.append(started[-1])
            started[-1].__enter__()
        return started

    def restart(self, site: Site) -> None:
        """Stops a process as an upgrade does, and starts it again."""
        site.process.send_signal(signal.SIGTERM)
        assert site.process.wait(PATIENCE) == 0, site.console
        site.__enter__()

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(sql, values).fetchall()

    def read_answers(self) -> dict[str, tuple[str, str, list[str]]]:
        """By question: the state, the text and the notes of its answer."""
        rows = self.query("""
            SELECT question.blocks, answer.blocks, state, notes FROM conversations_generation generation
            JOIN conversations_message answer ON answer.id = generation.message_id
            JOIN conversations_message question ON question.id = answer.parent_id
        """)
        return {text_of(question): (state, text_of(answer), notes) for question, answer, state, notes in rows}


def text_of(blocks: Sequence[dict[str, Any]]) -> str:
    return "".join(block.get("text", "") for block in blocks)


class Person:
    """An administrator's browser at one address. With TLS, it trusts the certificates of `context`."""

    def __init__(self, address: str, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        headers = {"origin": address}
        self.http = httpx.Client(base_url=address, timeout=PATIENCE, verify=context or True, headers=headers)
        self.http.get("/accounts/login/")
        self.post("/accounts/login/", login=ADMINISTRATOR, password=PASSWORD)

    def post(self, address: str, **fields: str) -> httpx.Response:
        answer = self.http.post(address, data=fields, headers={"x-csrftoken": self.http.cookies["csrftoken"]})
        assert answer.status_code < 400, (answer.status_code, address)
        return answer

    def page(self, address: str) -> Page:
        answer = self.http.get(address)
        assert answer.status_code == 200, (answer.status_code, address)
        return Page(answer.text)

    def find_models(self) -> dict[str, str]:
        """The keys of the models by the provider's name, once both are listed."""
        found: dict[str, str] = {}

        def are_listed() -> bool:
            found.clear()
            for option in self.page("/").find("#model option[value]"):
                group = option.getparent().get("label") or option.text_content()
                found[group.strip()] = option.get("value")
            return len(found) >= 2

        until(are_listed)
        return found

    def ask(self, question: str, model: str) -> str:
        """Begins a conversation with this question. Returns its address."""
        return str(self.post("/turns/", text=question, chat_model=model).headers["location"])


@contextmanager
def signed_in(address: str) -> Iterator[Person]:
    person = Person(address)
    try:
        yield person
    finally:
        person.http.close()
