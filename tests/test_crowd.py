"""A crowd that posts and types in the same second is served without an error."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from conversations.models import Message, Unsent
from conversations.verbs import turns
from tests.locks import locked_database
from tests.pages import HTMX

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = 30


@pytest.mark.sqlite
def test_all_turns_and_drafts_are_saved_though_another_process_locks_the_database(
    browser_of: Callable[[User], Client],
) -> None:
    people = [User.objects.create(username=f"person-{number}") for number in range(CROWD)]
    conversations = [turns.begin(person) for person in people]
    browsers = [browser_of(person) for person in people]
    barrier = threading.Barrier(CROWD + 1)

    def write(number: int) -> list[int]:
        where = f"/conversations/{conversations[number].pk}"
        browsers[number].raise_request_exception = False
        try:
            barrier.wait()
            return [
                browsers[number]
                .post(f"{where}/turns/", {"text": "Well?", "key": str(uuid4())}, headers=HTMX)
                .status_code,
                browsers[number].post(f"{where}/unsent/", {"text": "And then"}, headers=HTMX).status_code,
            ]
        finally:
            connection.close()

    with locked_database() as holder, ThreadPoolExecutor(CROWD) as threads:
        writing = [threads.submit(write, number) for number in range(CROWD)]
        barrier.wait()
        releasing = threading.Timer(3, holder.release)
        releasing.start()
        assert [each.result() for each in writing] == [[201, 204]] * CROWD
        releasing.join()
    assert Message.objects.exclude(key=None).count() == CROWD
    assert Unsent.objects.filter(text="And then").count() == CROWD
