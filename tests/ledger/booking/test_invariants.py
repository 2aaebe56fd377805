"""Whatever happens to calls, the figures of every budget equal the sums over the ledger, and none is below zero."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db.models import Sum
from django.utils.timezone import now
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from accounts.models import ApiKey, User
from ledger.booking import budgets, entries
from ledger.booking.entries import Caller, CallRefused, CallSource, Outcome
from ledger.models import Budget, Entry, Period, Spending, UsageSum
from ledger.models.entry import COUNTED_FIELDS
from ledger.models.usage_sum import SUMMED_FIELDS
from ledger.periods import midnight
from tests.ledger.booking.test_at_once import at_once
from tests.ledger.calling import full_meter, make_budget, make_call, make_key, make_meter, make_model, read_spendings
from upstreams.events import MAX_TOKENS, BlockGrew, Usage
from upstreams.models import ChatModel

ENDED = [outcome for outcome in Outcome if outcome is not Outcome.OPEN]
KINDS = ["", "overloaded", "stalled", "internal"]


def check_ledger() -> None:
    """Compares every sum that is kept with the entries that it is a sum of."""
    settled = Entry.objects.exclude(outcome=Outcome.OPEN)
    for span in Period:
        sums = UsageSum.objects.filter(span=span).aggregate(**{name: Sum(name) for name in SUMMED_FIELDS})
        assert (sums["calls"] or 0) == settled.count()
        for name in (*COUNTED_FIELDS, "thinking_tokens", "cost"):
            assert (sums[name] or 0) == (settled.aggregate(sum=Sum(name))["sum"] or 0), name
    for row in Spending.objects.current().select_related("budget"):
        assert (row.spent, row.reserved) == sum_entries(row), row
    for entry in Entry.objects.all():
        assert entry.reserved_tokens >= 0 and entry.reserved_cost >= 0 and entry.tokens >= 0
        assert entry.cost is None or entry.cost >= 0


def sum_entries(row: Spending) -> tuple[int, int]:
    budget, period = row.budget, Period(row.budget.period)
    ours = Entry.objects.filter(
        started_at__gte=midnight(row.start), started_at__lt=midnight(period.after(row.start))
    ).filter(**{} if budget.scope == "site" else {f"{budget.scope}_id": row.subject})
    spent = reserved = 0
    for entry in ours:
        if entry.is_open:
            reserved += budget.units_of(entry.reserved_tokens, entry.reserved_cost)
        else:
            spent += budget.units_of(entry.tokens, entry.cost)
    return spent, reserved


figures = st.none() | st.sampled_from([0, 1, 7, 5000, MAX_TOKENS])
usages = st.builds(Usage, figures, figures, figures, figures, figures)
terms = st.fixed_dictionaries(
    {
        "scope": st.sampled_from(["site", "group", "person", "key"]),
        "unit": st.sampled_from(["tokens", "money"]),
        "period": st.sampled_from(["day", "month"]),
        "limit": st.sampled_from([0, 1, 10_000, 10**8, 10**10]).map(Decimal),
        "is_active": st.booleans(),
    }
)


class LedgerMachine(RuleBasedStateMachine):
    """People and programs whose calls begin, end, crash and are recovered, while budgets and groups change."""

    running = Bundle("running")
    budgets = Bundle("budgets")

    def __init__(self, people: list[User], keys: list[ApiKey], models: list[ChatModel], patch: Callable[..., None]):
        super().__init__()
        for table in (Spending, Budget, Entry, UsageSum, Group):
            table.objects.all().delete()
        self.people, self.keys, self.models = people, keys, models
        self.groups = [Group.objects.create(name=name) for name in ("Engineers", "Sales")]
        self.clock = now()
        patch(entries, "now", self.now)

    def now(self) -> datetime:
        return self.clock

    def caller(self, who: int, source: CallSource = CallSource.GATEWAY) -> Caller:
        """A person, a program of theirs, or nobody."""
        if who == 0:
            return Caller(None, source)
        person, key = self.people[who % 2], self.keys[who % 2]
        return Caller(person, source, key=key if who > 2 else None)

    @rule(
        target=running,
        who=st.integers(0, 4),
        model=st.integers(0, 1),
        prompt=st.sampled_from([0, 10, 5000, MAX_TOKENS]),
        limit=st.none() | st.sampled_from([0, 1, 4096, 131_072, MAX_TOKENS]),
        answers=st.sampled_from([1, 2, 128]),
    )
    def begin(self, who: int, model: int, prompt: int, limit: int | None, answers: int) -> Any:
        chat_model = self.models[model]
        try:
            return entries.begin(self.caller(who), chat_model, prompt_tokens=prompt, max_tokens=limit, answers=answers)
        except CallRefused:
            return multiple()

    @rule(
        entry=running,
        is_read_again=st.booleans(),
        usage=usages,
        text=st.sampled_from(["", "Yes.", "x" * 9000]),
        is_whole=st.booleans(),
        outcome=st.sampled_from(ENDED),
        kind=st.sampled_from(KINDS),
    )
    def settle(
        self, entry: Entry, is_read_again: bool, usage: Usage, text: str, is_whole: bool, outcome: Outcome, kind: str
    ) -> None:
        """Perhaps not for the first time."""
        meter = full_meter(usage, text) if is_whole else make_meter([BlockGrew(text)])
        if is_read_again:
            entry = Entry.objects.select_related("chat_model").get(pk=entry.pk)
        entries.settle(entry, meter, outcome, kind)

    @rule(entry=consumes(running), written=st.sampled_from([0, 1, 50_000]))
    def lose(self, entry: Entry, written: int) -> None:
        entries.recover({entry.pk: written})

    @rule(hours=st.integers(0, 48))
    def recover(self, hours: int) -> None:
        entries.recover(before=self.clock - timedelta(hours=hours))

    @rule(who=st.integers(0, 4))
    def count(self, who: int) -> None:
        entries.book_count(self.caller(who, CallSource.COUNT), self.models[0])

    @rule(hours=st.integers(1, 40))
    def wait(self, hours: int) -> None:
        self.clock += timedelta(hours=hours)

    @rule(target=budgets, fields=terms, who=st.integers(0, 1), is_for_each=st.booleans())
    def add_budget(self, fields: dict[str, Any], who: int, is_for_each: bool) -> Budget:
        subjects = {"group": self.groups, "person": self.people, "key": self.keys}
        scope = fields["scope"]
        subject = {} if is_for_each or scope == "site" else {scope: subjects[scope][who]}
        return Budget.objects.create(**fields, **subject)

    @rule(budget=budgets, fields=terms)
    def change_budget(self, budget: Budget, fields: dict[str, Any]) -> None:
        for name in ("unit", "period", "limit", "is_active"):
            setattr(budget, name, fields[name])
        budget.save()

    @rule(budget=consumes(budgets))
    def delete_budget(self, budget: Budget) -> None:
        Budget.objects.filter(pk=budget.pk).delete()

    @rule(who=st.integers(0, 1), group=st.integers(0, 1), is_member=st.booleans())
    def move(self, who: int, group: int, is_member: bool) -> None:
        groups = self.people[who].groups
        groups.add(self.groups[group]) if is_member else groups.remove(self.groups[group])

    @invariant()
    def the_ledger_is_consistent(self) -> None:
        check_ledger()

    def teardown(self) -> None:
        entries.recover()
        check_ledger()
        assert not Entry.objects.open().exists()
        assert not Spending.objects.current().exclude(reserved=0).exists()


@pytest.mark.django_db
def test_the_ledger_is_consistent_after_every_step(
    ada: User, ben: User, model: ChatModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [make_key(ada), make_key(ben)]
    people, models = [ada, ben], [model, make_model("Free", max_output_tokens=9000)]
    # Each example has many steps, of which each checks everything.
    fewer = settings(max_examples=settings().max_examples // 10, stateful_step_count=30)
    machine: Any = partial(LedgerMachine, people, keys, models, monkeypatch.setattr)
    run_machine(machine, settings=fewer)
    assert "corrected" not in caplog.text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_the_ledger_is_consistent_after_parallel_calls(
    ada: User, ben: User, model: ChatModel, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [make_key(ada), make_key(ben)]
    make_budget(10**9), make_budget(40_000, scope="person", period="day")
    make_budget(30_000, scope="key"), make_budget(5, scope="person", person=ada, unit="money")

    def live(number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        person, key = (ada, ben)[number % 2], keys[number % 2]
        for _ in range(4):
            caller = Caller(person, CallSource.GATEWAY, key=key if chance.random() < 0.5 else None)
            try:
                limit = chance.choice([None, 0, 100, 9000])
                entry = entries.begin(caller, model, prompt_tokens=chance.randrange(500), max_tokens=limit)
            except CallRefused:
                continue
            usage = Usage(chance.choice([None, 0, 300]), chance.choice([None, 0, 9000]))
            match chance.choice(["end", "abort", "fail", "crash", "recover", "twice"]):
                case "end":
                    entries.settle(entry, full_meter(usage), Outcome.COMPLETE)
                case "abort":
                    entries.settle(entry, make_meter([BlockGrew("x" * 400)]), Outcome.STOPPED)
                case "fail":
                    entries.settle(entry, make_meter([]), Outcome.FAILED, "overloaded")
                case "recover":
                    # Ends calls that other threads still make.
                    entries.recover()
                case "twice":
                    for _ in range(2):
                        entries.settle(entry, full_meter(usage), Outcome.COMPLETE)

    for _ in range(3):
        at_once(live, count=6)
        check_ledger()
    entries.recover()
    check_ledger()
    assert not Spending.objects.exclude(reserved=0).exists()
    assert "corrected" not in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize(("spent", "reserved"), [(5, 0), (5, 150), (999, 10**6)])
def test_a_wrong_row_is_summed_up_again_and_logged(
    ada: User, model: ChatModel, spent: int, reserved: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever made it wrong, settling or recovering corrects it instead of going below zero."""
    site = make_budget(10**7)
    make_call(ada, model, 10, 20)
    kept, ending = (
        entries.begin(Caller(ada, CallSource.GATEWAY), model, prompt_tokens=100, max_tokens=100) for _ in range(2)
    )
    Spending.objects.filter(budget=site).update(spent=spent, reserved=reserved)
    entries.settle(ending, full_meter(Usage(1, 1)), Outcome.COMPLETE)
    entries.recover(before=kept.started_at)
    assert read_spendings(site) == [(32, 200)]
    assert "are corrected to (32, 200)" in caplog.text


@pytest.mark.django_db
def test_a_budget_can_be_deleted_while_it_is_corrected(ada: User, model: ChatModel) -> None:
    site = make_budget(1000)
    make_call(ada, model)
    row = Spending.objects.get(budget=site)
    site.delete()
    budgets.correct(row.pk)
    assert not Spending.objects.exists()


@pytest.mark.django_db
def test_sums_stop_before_they_overflow(ada: User, model: ChatModel) -> None:
    site, money = make_budget(10**9), make_budget(10**10, unit="money")
    make_call(ada, model)
    largest = 2**60
    Spending.objects.update(spent=largest - 1)
    UsageSum.objects.update(output_tokens=largest - 1, cost=largest - 1)
    # A call that began without a reservation, as no budget has anything left.
    running = Entry.objects.create(chat_model=model, person=ada, source="conversation")
    entries.settle(running, full_meter(Usage(100, 50)), Outcome.COMPLETE)
    assert [spent for spent, _ in (*read_spendings(site), *read_spendings(money))] == [largest, largest]
    assert set(UsageSum.objects.values_list("output_tokens")) == {(largest,)}
