"""Usage as CSV: the table on the page and every call, of one person or of all."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from accounts.models import User
from ledger.booking import entries
from ledger.booking.entries import Outcome
from ledger.reports import exports
from tests.ledger.calling import begin_call, make_call, make_key, make_meter, make_model
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db


@async_to_sync
async def read(person: User, address: str) -> list[dict[str, str]]:
    """The rows of a CSV file. Only an asynchronous client gets the stream as a server sends it."""
    client = AsyncClient()
    await client.aforce_login(person)
    answer = await client.get(address)
    assert answer.status_code == 200 and answer.streaming
    assert answer["content-type"] == "text/csv; charset=utf-8" and "attachment" in answer["content-disposition"]
    text = b"".join([piece async for piece in answer]).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_table_equals_the_one_on_the_page(ada: User, ben: User, root: User, model: ChatModel) -> None:
    make_call(ada, model, 1000, 100)
    make_call(ben, model, 7000, 700)
    first, second = read(root, "/settings/usage/table.csv?by=person")
    assert (first["name"], first["input tokens"], first["output tokens"]) == ("Ben Okri", "7000", "700")
    assert (second["name"], Decimal(second["cost"]), second["currency"]) == ("Ada Lovelace", Decimal("0.002"), "USD")
    [only] = read(root, f"/settings/usage/table.csv?by=model&person={ada.pk}")
    assert (only["name"], only["detail"], only["calls"]) == ("Clever", "House", "1")
    assert len(read(root, "/settings/usage/table.csv?by=day")) == 1


def test_every_call_is_a_line(ada: User, model: ChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH", 2)
    for read_tokens in (1, 2, 3, 4):
        make_call(ada, model, read_tokens, key=make_key(ada, "Nightly report"))
    entries.settle(begin_call(ada, model), make_meter([]), Outcome.STOPPED)
    begin_call(ada, model)
    lines = read(ada, "/account/usage/calls.csv")
    assert [line["outcome"] for line in lines] == ["open", "stopped", *["complete"] * 4]
    assert [line["input tokens"] for line in lines[2:]] == ["4", "3", "2", "1"]
    assert [line["estimated"] for line in lines] == ["no", "yes", *["no"] * 4]
    last = lines[-1]
    assert (last["person"], last["key"], last["model"]) == ("Ada Lovelace", "Nightly report", "Clever")
    assert Decimal(last["cost"]) == Decimal("0.000501") and last["source"] == "gateway"


def test_nobody_can_export_the_usage_of_others(
    browser_of: Callable[[User], Client], ada: User, ben: User, model: ChatModel
) -> None:
    make_call(ben, model)
    for address in ("/account/usage/calls.csv", f"/account/usage/calls.csv?person={ben.pk}"):
        assert read(ada, address) == []
    assert read(ada, "/account/usage/table.csv?by=person") == []
    for name in ("table", "calls"):
        assert browser_of(ada).get(f"/settings/usage/{name}.csv").status_code == 403


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a,"b"\n=1'])
def test_names_are_never_formulas(name: str, ada: User, root: User) -> None:
    make_call(ada, make_model(name))
    for address in ("/settings/usage/table.csv", "/settings/usage/calls.csv"):
        [line] = read(root, address)
        said = line.get("name") or line["model"]
        assert said == (name if name.startswith("a") else f"'{name}")
