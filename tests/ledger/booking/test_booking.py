"""A call is an entry: it begins with a reservation and is settled once with its usage."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from ledger.booking import entries
from ledger.booking.entries import Caller, CallRefused, CallSource, Outcome
from ledger.models import Entry, RateLimit, UsageSum
from tests.ledger.calling import begin_call, full_meter, make_call, make_key, make_meter, make_model, settle_call
from upstreams.events import BlockGrew, ReplyStarted, Usage, UsageReported
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db


def test_an_entry_records_the_caller_the_model_and_the_usage(ada: User, model: ChatModel) -> None:
    ada.groups.add(Group.objects.create(name="Sales"), Group.objects.create(name="Engineers"))
    key = make_key(ada)
    entry = entries.begin(Caller(ada, CallSource.GATEWAY, "req_1", key), model, prompt_tokens=90, max_tokens=500)
    assert (entry.reserved_tokens, entry.reserved_cost) == (590, Decimal("0.00509"))
    entries.settle(entry, full_meter(Usage(80, 20, cache_read_tokens=10, thinking_tokens=5)), Outcome.COMPLETE)
    booked = Entry.objects.get()
    assert (booked.person, booked.key, booked.chat_model) == (ada, key, model)
    names = (booked.person_name, booked.key_name, booked.group_name, booked.model_name, booked.provider_name)
    assert names == ("Ada Lovelace", "ci", "Engineers", "Clever", "House")
    assert (booked.request_id, booked.upstream_id, booked.source) == ("req_1", "msg_1", "gateway")
    assert booked.usage == Usage(80, 20, cache_read_tokens=10, thinking_tokens=5)
    assert (booked.tokens, booked.cost, booked.is_estimate) == (110, Decimal("0.00029"), False)
    assert booked.outcome == Outcome.COMPLETE
    assert booked.seconds is not None and booked.seconds_to_first is not None


def test_an_entry_keeps_the_names_of_deleted_subjects(ada: User, model: ChatModel) -> None:
    key = make_key(ada)
    entry = begin_call(ada, model, key=key)
    ChatModel.objects.all().delete()
    User.objects.all().delete()
    settle_call(entry)
    booked = Entry.objects.get()
    assert (booked.person, booked.key, booked.chat_model) == (None, None, None)
    assert (booked.person_name, booked.key_name, booked.model_name) == ("Ada Lovelace", "ci", "Clever")
    assert UsageSum.objects.filter(person_name="Ada Lovelace", calls=1).count() == 2


def test_an_entry_is_settled_once(ada: User, model: ChatModel) -> None:
    entry = begin_call(ada, model)
    again = Entry.objects.get()
    settle_call(entry, 100, 50)
    settle_call(again, 1, 1)
    settle_call(entry, 2, 2)
    assert Entry.objects.get().tokens == 150
    assert set(UsageSum.objects.values_list("calls", "input_tokens")) == {(1, 100)}


def test_the_price_is_that_at_the_beginning(ada: User, model: ChatModel) -> None:
    entry = begin_call(ada, model)
    ChatModel.objects.update(input_price=1000)
    assert settle_call(entry, 1000, 0).cost == Decimal("0.001")


def test_without_prices_the_cost_is_unknown(ada: User) -> None:
    make_call(ada, make_model("Free"))
    assert Entry.objects.get().cost is None


def test_a_refused_request_costs_nothing(ada: User, model: ChatModel) -> None:
    entry = begin_call(ada, model)
    entries.settle(entry, make_meter([]), Outcome.FAILED, "overloaded")
    assert (entry.tokens, entry.is_estimate, entry.error_kind) == (0, False, "overloaded")


def test_a_failure_keeps_the_usage_that_was_reported(ada: User, model: ChatModel) -> None:
    entry = begin_call(ada, model)
    events = [ReplyStarted("msg_2", "clever"), UsageReported(Usage(25, 1))]
    entries.settle(entry, make_meter(events), Outcome.FAILED, "overloaded")
    assert (entry.usage, entry.upstream_id) == (Usage(25, 1), "msg_2")


def test_a_prompt_without_an_answer_is_counted(ada: User, model: ChatModel) -> None:
    entry = begin_call(ada, model)
    entries.settle(entry, make_meter([], prompt=100), Outcome.FAILED, "stalled")
    assert (entry.tokens, entry.is_estimate) == (100, True)


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.BROKEN])
def test_an_interrupted_call_is_an_estimate(ada: User, model: ChatModel, outcome: Outcome) -> None:
    entry = begin_call(ada, model)
    entries.settle(entry, make_meter([BlockGrew("x" * 40)], prompt=100), outcome)
    assert (entry.usage, entry.is_estimate) == (Usage(100, 10), True)


def test_a_call_stopped_before_its_first_token_counts_its_prompt(ada: User, model: ChatModel) -> None:
    entry = begin_call(ada, model)
    entries.settle(entry, make_meter([], prompt=100), Outcome.STOPPED)
    assert (entry.usage, entry.is_estimate) == (Usage(100, 0), True)


def test_entries_lost_in_a_crash_become_estimates(ada: User, ben: User, model: ChatModel) -> None:
    lost = begin_call(ada, model, prompt=70)
    settle_call(begin_call(ben, model), 10, 10)
    entries.recover()
    entries.recover()
    booked = Entry.objects.get(pk=lost.pk)
    assert (booked.outcome, booked.usage, booked.is_estimate) == (Outcome.LOST, Usage(70, 0), True)
    assert booked.cost == Decimal("0.00007")
    assert Entry.objects.filter(outcome=Outcome.LOST).count() == 1


def test_a_lost_entry_counts_the_tokens_known_to_be_written(ada: User, model: ChatModel) -> None:
    other = begin_call(ada, model)
    entry = entries.begin(Caller(ada, CallSource.CONVERSATION), model, prompt_tokens=70, max_tokens=None)
    entries.recover(written={entry.pk: 30})
    assert [each.pk for each in Entry.objects.open()] == [other.pk]
    assert Entry.objects.get(pk=entry.pk).usage == Usage(70, 30)


def test_the_last_use_of_a_key_is_noted_at_most_once_a_minute(ada: User, model: ChatModel) -> None:
    key = make_key(ada)
    first = make_call(ada, model, key=key)
    make_call(ada, model, key=key)
    key.refresh_from_db()
    assert key.last_used_at == first.started_at


def test_only_entries_open_for_too_long_are_settled(ada: User, model: ChatModel) -> None:
    left, running = begin_call(ada, model), begin_call(ada, model)
    Entry.objects.filter(pk=left.pk).update(started_at=left.started_at - timedelta(hours=2))
    entries.recover(before=running.started_at - timedelta(hours=1))
    assert [entry.pk for entry in Entry.objects.open()] == [running.pk]


def test_a_request_limit_does_not_interrupt_an_answer_that_uses_tools(ada: User, model: ChatModel) -> None:
    RateLimit.objects.create(scope="person", requests_a_minute=1)
    begin_call(ada, model)
    answer = Caller(ada, CallSource.CONVERSATION)
    for _ in range(2):
        settle_call(entries.begin(answer, model, prompt_tokens=1, max_tokens=1, is_follow_up=lambda: True))
    for source in CallSource:
        with pytest.raises(CallRefused):
            entries.begin(Caller(ada, source), model, prompt_tokens=1, max_tokens=1)
