"""Creates the rows that a test starts from: people, sessions, conversations and more."""

import itertools
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Self

from tests.browser.site import PASSWORD, ROOT, Site


@dataclass(frozen=True)
class Person:
    pk: int
    username: str
    name: str
    session: str


class Backstage:
    """Calls the functions of `stagehand.py` in its process."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.stagehand"],
            cwd=ROOT,
            env=self._site.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)

    def person(self, name: str, username: str | None = None) -> Person:
        """Creates a person for this test alone, with a session."""
        username = username or f"{name.split()[0].lower()}-{next(self._numbers)}"
        made = self._do("person", username=username, name=name, password=PASSWORD)
        return Person(made["pk"], username, name, made["session"])

    def administrator(self) -> Person:
        made = self._do("administrator")
        return Person(made["pk"], "", "", made["session"])

    def conversation(
        self, owner: Person, title: str, said: list[str], answered: list[str] | None = None, minutes_ago: int = 0
    ) -> str:
        """Creates a conversation with these turns and answers. Returns its address."""
        facts = {"owner": owner.pk, "title": title, "said": said, "minutes_ago": minutes_ago}
        return f"/conversations/{self._do('conversation', answered=answered or [], **facts)}/"

    def conversations(self, owner: Person, titles: list[str]) -> list[str]:
        """Creates conversations, the last one the newest. Returns their addresses."""
        return [f"/conversations/{pk}/" for pk in self._do("conversations", owner=owner.pk, titles=titles)]

    def crowd(self, owner: Person, title: str, texts: list[str], names: list[str]) -> str:
        """Creates a conversation in which a new person posts each text and a model repeats it. Returns its address."""
        return f"/conversations/{self._do('crowd', owner=owner.pk, title=title, texts=texts, names=names)}/"

    def long_conversation(self, owner: Person, title: str, count: int, per_day: int) -> str:
        """Creates a conversation of numbered messages, the last one from today. Returns its address."""
        made = self._do("long_conversation", owner=owner.pk, title=title, count=count, per_day=per_day)
        return f"/conversations/{made}/"

    def join(self, address: str, *people: Person) -> None:
        for person in people:
            self._do("join", conversation=int(address.split("/")[2]), person=person.pk)

    def tool(self, url: str, name: str, **fields: Any) -> tuple[int, int]:
        """Adds a tool of the server at `url` that everyone may use. Returns the keys of the server and the tool."""
        server, tool = self._do("tool", url=url, name=name, fields=fields)
        return server, tool

    def choose_tools(self, address: str, *names: str) -> None:
        self._do("choose_tools", conversation=int(address.split("/")[2]), names=list(names))

    def delete_conversation(self, address: str) -> None:
        self._do("delete_conversation", conversation=int(address.split("/")[2]))

    def delete_tools(self) -> None:
        """Deletes all tool servers with their tools."""
        self._do("delete_tools")

    def book_calls(self, person: Person, calls: int = 1) -> None:
        """Books calls on the person, each with 1,000 input and 100 output tokens."""
        self._do("book_calls", person=person.pk, calls=calls)

    def log_error(self, words: str, reference: str) -> None:
        """Logs an error that has this reference."""
        self._do("log_error", words=words, reference=reference)

    def forget_errors(self) -> None:
        self._do("forget_errors")

    def delete_budgets(self) -> None:
        """Deletes all budgets and rate limits, which would affect other tests."""
        self._do("delete_budgets")

    def end_sessions(self, person: Person) -> None:
        """Deletes the person's sessions as expiry does, without a broadcast."""
        self._do("end_sessions", person=person.pk)

    def await_saved(self, address: str, words: str) -> None:
        """Waits until a message with these words is saved in the conversation."""
        self._do("await_saved", conversation=int(address.split("/conversations/")[1].split("/")[0]), words=words)

    def await_unsent(self, person: Person, text: str) -> None:
        """Waits until this unsent text of the person is saved."""
        self._do("await_unsent", person=person.pk, text=text)

    def add_models(self, names: list[str], **fields: Any) -> None:
        """Adds a provider, “House”, with models of these names."""
        self._do("add_models", names=names, fields=fields)

    def delete_added_models(self) -> None:
        self._do("delete_added_models")

    def await_models(self) -> None:
        """Waits until the model server's models are listed. Until then, the site offers the demo."""
        self._do("await_models")

    def _do(self, act: str, **arguments: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"act": act, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"{act} failed; see standard error"
        return json.loads(answer)
