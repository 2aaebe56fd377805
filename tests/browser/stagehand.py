"""Runs beside the site, on its database, and creates the rows that a test starts from.

Reads one call per line, {"act": …, …arguments}, and answers each with a line of JSON.
"""

import json
import logging
import sys
from datetime import timedelta
from importlib import import_module
from time import sleep
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.db import transaction  # noqa: E402
from django.utils.timezone import now  # noqa: E402

from accounts.models import User  # noqa: E402
from chatsite.errors import storage  # noqa: E402
from chatsite.errors.recorder import ErrorRecorder  # noqa: E402
from chatsite.logs.request_ids import set_request_id  # noqa: E402
from chatsite.models import ErrorGroup  # noqa: E402
from conversations.models import Conversation, Generation, Message, Participant, Path, Role, State, Unsent  # noqa: E402
from conversations.models.message import text_block  # noqa: E402
from conversations.verbs import turns  # noqa: E402
from conversations.verbs.writing import add_message  # noqa: E402
from ledger.booking import entries  # noqa: E402
from ledger.booking.entries import Caller, Outcome  # noqa: E402
from ledger.booking.meter import Meter  # noqa: E402
from ledger.models import (  # noqa: E402
    Budget,
    CallSource,  # noqa: E402
    RateLimit,
)
from tools.models import Tool, ToolServer  # noqa: E402
from upstreams.events import ReplyEnded, ReplyStarted, Usage, UsageReported  # noqa: E402
from upstreams.models import ChatModel, Protocol, Provider, ProviderSource  # noqa: E402


def person(username: str, name: str, password: str) -> dict[str, Any]:
    user = User.objects.create_user(username, password=password, name=name)
    return {"pk": user.pk, "session": session_of(user)}


def administrator() -> dict[str, Any]:
    user = User.objects.filter(is_superuser=True).earliest("pk")
    return {"pk": user.pk, "session": session_of(user)}


def session_of(user: User) -> str:
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def conversation(owner: int, title: str, said: list[str], answered: list[str] = [], minutes_ago: int = 0) -> int:  # noqa: B006
    """Creates a conversation of the owner's turns, each followed by its answer, if there is one."""
    made = turns.begin(User.objects.get(pk=owner), title=title)
    Participant.objects.filter(conversation=made).update(active_at=now() - timedelta(minutes=minutes_ago))
    path = Path.through(made)
    for place, text in enumerate(said):
        add_message(path.branch, path.find_last_key(), author_id=owner, text=text)
        if place < len(answered):
            reply = add_message(
                path.branch, path.find_last_key(), role=Role.ASSISTANT, blocks=[text_block(answered[place])]
            )
            ended = {"state": State.COMPLETE, "started_at": now(), "finished_at": now(), "output_tokens": 5}
            model = Generation.model_fields(ChatModel.objects.default())
            Generation.objects.create(conversation=made, message=reply, **model, **ended)
    return made.pk


def conversations(owner: int, titles: list[str]) -> list[int]:
    """Creates one conversation for each title, the last one the newest."""
    return [conversation(owner, title, [title], minutes_ago=len(titles) - place) for place, title in enumerate(titles)]


def crowd(owner: int, title: str, texts: list[str], names: list[str]) -> int:
    """Creates a conversation in which a new person posts each text and a model repeats it."""
    count = User.objects.count()
    people = [User(username=f"crowd-{count + place}", name=name) for place, name in enumerate(names)]
    people = User.objects.bulk_create(people)
    made = turns.begin(User.objects.get(pk=owner), title=title)
    model = Generation.model_fields(ChatModel.objects.default())
    path = Path.through(made)
    with transaction.atomic():
        for person, text in zip(people, texts, strict=True):
            add_message(path.branch, path.find_last_key(), author=person, text=text)
            reply = add_message(path.branch, path.find_last_key(), role=Role.ASSISTANT, blocks=[text_block(text)])
            Generation.objects.create(conversation=made, message=reply, state=State.COMPLETE, **model)
    return made.pk


def long_conversation(owner: int, title: str, count: int, per_day: int) -> int:
    """Creates a conversation of numbered messages by the owner and a model in turn, the last one from today."""
    made = turns.begin(User.objects.get(pk=owner), title=title)
    path, after = Path.through(made), None
    model = Generation.model_fields(ChatModel.objects.default())
    with transaction.atomic():
        for number in range(1, count + 1):
            on = now() - timedelta(days=(count - number) // per_day)
            said: dict[str, Any] = {"author_id": owner} if number % 2 else {"role": Role.ASSISTANT}
            blocks = [text_block(f"Message {number} of {count}.\n\n" + "Some words of it. " * (number % 7 * 12))]
            message = add_message(path.branch, after, blocks=blocks, created_at=on, **said)
            if not number % 2:
                Generation.objects.create(conversation=made, message=message, state=State.COMPLETE, **model)
            after = message.pk
    return made.pk


def join(conversation: int, person: int) -> None:
    Participant.objects.create(conversation_id=conversation, user_id=person)


def tool(url: str, name: str, fields: dict[str, Any]) -> list[int]:
    server, _ = ToolServer.objects.get_or_create(name="Drawer", defaults={"url": url})
    given = {"wire_name": f"drawer__{name}", "input_schema": {"type": "object"}, "is_allowed": True} | fields
    return [server.pk, Tool.objects.create(server=server, name=name, **given).pk]


def choose_tools(conversation: int, names: list[str]) -> None:
    Conversation.objects.get(pk=conversation).tools.set(Tool.objects.filter(name__in=names))


def delete_conversation(conversation: int) -> None:
    Conversation.objects.filter(pk=conversation).update(deleted_at=now())


def delete_tools() -> None:
    ToolServer.objects.all().delete()


def book_calls(person: int, calls: int) -> None:
    """Books settled calls on the person, each with 1,000 input and 100 output tokens."""
    caller, model = Caller(User.objects.get(pk=person), CallSource.CONVERSATION), ChatModel.objects.default()
    assert model
    for _ in range(calls):
        entry = entries.begin(caller, model, prompt_tokens=1000, max_tokens=100)
        meter = Meter(1000)
        meter.take([ReplyStarted("msg_1", "test"), UsageReported(Usage(1000, 100)), ReplyEnded("end_turn")])
        entries.settle(entry, meter, Outcome.COMPLETE)


def log_error(words: str, reference: str) -> None:
    """Logs and saves an error, as a process of the site does."""
    recorder = ErrorRecorder()
    set_request_id(reference)
    try:
        raise ValueError(words)
    except ValueError as error:
        fields = (ValueError, error, error.__traceback__)
        recorder.handle(logging.LogRecord("teapot", logging.ERROR, __file__, 1, "Making tea failed", (), fields))
    storage.save(recorder.take())
    set_request_id("")


def forget_errors() -> None:
    ErrorGroup.objects.all().delete()


def delete_budgets() -> None:
    Budget.objects.all().delete()
    RateLimit.objects.all().delete()


def end_sessions(person: int) -> None:
    """Deletes the person's sessions as expiry does, without a broadcast."""
    for session in Session.objects.all():
        if session.get_decoded().get(SESSION_KEY) == str(person):
            session.delete()


def await_saved(conversation: int, words: str) -> None:
    """Waits for these words. A running answer is saved once a second."""
    while not Message.objects.filter(conversation=conversation, blocks__icontains=words).exists():
        sleep(0.05)


def await_unsent(person: int, text: str) -> None:
    """Waits for this text. Unsent text is saved after a pause, and when its page is left."""
    while not Unsent.objects.filter(person=person, text=text).exists():
        sleep(0.05)


def await_models() -> None:
    """Waits for models. After a start, the site lists its provider's models in the background."""
    while not ChatModel.objects.exclude(provider__source=ProviderSource.DEMO).exists():
        sleep(0.05)


def add_models(names: list[str], fields: dict[str, Any]) -> None:
    house = Provider.objects.create(name="House", protocol=Protocol.OPENAI, base_url="http://127.0.0.1:9/v1")
    house.chat_models.bulk_create(
        ChatModel(provider=house, model_id=f"house-{place}", name=name, **fields) for place, name in enumerate(names)
    )


def delete_added_models() -> None:
    Provider.objects.filter(name="House").delete()


CREATING = (
    person,
    administrator,
    conversation,
    conversations,
    crowd,
    long_conversation,
    join,
    book_calls,
    log_error,
    forget_errors,
    delete_budgets,
    delete_conversation,
    add_models,
    delete_added_models,
)
TOOLS = (tool, choose_tools, delete_tools)
ACTS = {act.__name__: act for act in (*CREATING, *TOOLS, end_sessions, await_saved, await_unsent, await_models)}

if __name__ == "__main__":
    for line in sys.stdin:
        call = json.loads(line)
        print(json.dumps(ACTS[call.pop("act")](**call)), flush=True)
