"""Makes what a test begins with: people, their sessions, their conversations."""

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
    def __init__(self, site: Site) -> None:
        self._site = site
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._hand = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.stagehand"],
            cwd=ROOT,
            env=self._site.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._hand.stdin
        self._hand.stdin.close()
        self._hand.wait(30)

    def person(self, name: str, username: str | None = None) -> Person:
        """Somebody new, whom no other test knows, with a session to come in by."""
        username = username or f"{name.split()[0].lower()}-{next(self._numbers)}"
        made = self._do("person", username=username, name=name, password=PASSWORD)
        return Person(made["pk"], username, name, made["session"])

    def administrator(self) -> Person:
        made = self._do("administrator")
        return Person(made["pk"], "", "", made["session"])

    def conversation(self, owner: Person, title: str, said: list[str], answered: list[str] | None = None) -> str:
        """Returns its address."""
        pk = self._do("conversation", owner=owner.pk, title=title, said=said, answered=answered or [])
        return f"/conversations/{pk}/"

    def conversations(self, owner: Person, titles: list[str]) -> list[str]:
        """Returns their addresses; the last one is the newest."""
        return [f"/conversations/{pk}/" for pk in self._do("conversations", owner=owner.pk, titles=titles)]

    def crowd(self, owner: Person, title: str, texts: list[str], names: list[str]) -> str:
        """Each text is said by somebody of the name at its place, then by a model. Returns the address."""
        return f"/conversations/{self._do('crowd', owner=owner.pk, title=title, texts=texts, names=names)}/"

    def long_conversation(self, owner: Person, title: str, count: int, per_day: int) -> str:
        """Messages that count themselves, so many of them a day, the last today. Returns the address."""
        made = self._do("long_conversation", owner=owner.pk, title=title, count=count, per_day=per_day)
        return f"/conversations/{made}/"

    def join(self, address: str, *people: Person) -> None:
        for person in people:
            self._do("join", conversation=int(address.split("/")[2]), person=person.pk)

    def tool(self, url: str, name: str, **fields: Any) -> tuple[int, int]:
        """One of the tool server at `url`, called Drawer, which everybody may use; the keys of both."""
        server, tool = self._do("tool", url=url, name=name, fields=fields)
        return server, tool

    def choose_tools(self, address: str, *names: str) -> None:
        self._do("choose_tools", conversation=int(address.split("/")[2]), names=list(names))

    def forget_tools(self) -> None:
        """As they were before: no server, and of the site's own what is allowed from the start."""
        self._do("forget_tools")

    def use(self, person: Person, calls: int = 1) -> None:
        """Calls of the model that are booked on the person: 1,000 tokens read and 100 written, each."""
        self._do("use", person=person.pk, calls=calls)

    def forget_budgets(self) -> None:
        """So that nobody is held back in another test."""
        self._do("forget_budgets")

    def end_sessions(self, person: Person) -> None:
        """As their age ends them: nobody is told."""
        self._do("end_sessions", person=person.pk)

    def await_saved(self, address: str, words: str) -> None:
        """Returns when a message of the conversation with these words stands in the database."""
        self._do("await_saved", conversation=int(address.split("/conversations/")[1].split("/")[0]), words=words)

    def await_kept(self, person: Person, text: str) -> None:
        """Returns when this text of a person waits to be sent."""
        self._do("await_kept", person=person.pk, text=text)

    def await_models(self) -> None:
        """Returns when people can choose the model server's models; before that they would be offered the demo."""
        self._do("await_models")

    def _do(self, act: str, **arguments: Any) -> Any:
        assert self._hand.stdin and self._hand.stdout
        self._hand.stdin.write(json.dumps({"act": act, **arguments}) + "\n")
        self._hand.stdin.flush()
        answer = self._hand.stdout.readline()
        assert answer, f"{act} failed; what went wrong stands on standard error"
        return json.loads(answer)
