"""A turn is posted with few queries, however long the conversation is."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client

from accounts.models import User
from conversations.answering import replies
from conversations.models import Conversation, Path
from tests.conversations.talking import add_exchange
from upstreams.models import ChatModel

MOST_QUERIES = 18 if connection.vendor == "sqlite" else 19
"""Sign-in, access and the limits take 7; a transaction with its start and end 9; what viewers see 2. PostgreSQL needs
one more to lock the person's unsent text.
"""


@pytest.fixture
def no_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts no replies: what those ask the database is not part of the post."""
    closed = replies.Replies()
    async_to_sync(closed.close)()
    monkeypatch.setattr(replies, "local", closed)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turns", [1, 30])
def test_a_turn_is_posted_with_few_queries(
    no_replies: None,
    browser_of: Callable[[User], Client],
    ada: User,
    conversation: Conversation,
    model: ChatModel,
    django_assert_max_num_queries: Callable[[int], Any],
    turns: int,
) -> None:
    for number in range(turns):
        add_exchange(Path.through(conversation), ada, f"Question {number}", f"Answer {number}", model)
    conversation.rename("Weather")
    adas = browser_of(ada)
    turn = {"text": "And tomorrow?", "chat_model": model.pk, "key": uuid4(), "branch": conversation.branch_id}
    with django_assert_max_num_queries(MOST_QUERIES):
        answer = adas.post(f"/conversations/{conversation.pk}/turns/", turn, headers={"hx-request": "true"})
    assert answer.status_code == 201
