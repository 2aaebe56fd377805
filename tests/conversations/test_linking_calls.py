"""A migration links entries to generations that were booked before calls had keys."""

from importlib import import_module

import pytest
from django.apps import apps

from accounts.models import User
from conversations.models import Conversation, GenerationCall
from ledger.booking import entries
from ledger.booking.entries import Caller, CallSource
from tests.conversations.asking import queue_turn
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db

migration = import_module("conversations.migrations.0009_link_generation_calls")


def test_only_entries_of_conversations_are_linked(ada: User, conversation: Conversation, model: ChatModel) -> None:
    generation = queue_turn(conversation, ada, "Well?", model)
    number = str(generation.pk)

    def book(source: CallSource, request_id: str) -> int:
        caller = Caller(ada, source, request_id)
        return entries.begin(caller, model, prompt_tokens=1, max_tokens=1).pk

    booked = [book(CallSource.CONVERSATION, number) for _ in range(2)]
    for request_id in ("", str(generation.pk + 1), "req_1", "9" * 80):
        book(CallSource.CONVERSATION, request_id)
    book(CallSource.GATEWAY, number)
    for _ in range(2):
        migration.link_calls(apps, None)
        links = GenerationCall.objects.order_by("pk").values_list("entry", "generation")
        assert list(links) == [(pk, generation.pk) for pk in booked]
