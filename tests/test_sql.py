"""Statements and prepared queries return the same as the ORM for every kind of column."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from chatsite.sql import PreparedQuery, RowQuery, Statement, select_columns
from ledger.models import Budget, UsageSum
from tests.ledger.calling import make_budget, make_model
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db


def test_a_statement_converts_its_values_by_their_fields() -> None:
    row = UsageSum.objects.create(span="day", start=date(2028, 2, 29))
    fields = [UsageSum._meta.get_field(name) for name in ("start", "cost", "model_name")]
    change = Statement(
        f"UPDATE {UsageSum._meta.db_table} SET start = %s, cost = %s, model_name = %s WHERE id = %s",
        [*fields, None],
    )
    assert change.execute(date(2028, 3, 1), Decimal("0.00000012"), "50 % 'quoted'", row.pk) == 1
    assert change.execute(date(2028, 3, 1), Decimal(0), "", 0) == 0
    row.refresh_from_db()
    assert (row.start, row.cost, row.model_name) == (date(2028, 3, 1), Decimal("0.00000012"), "50 % 'quoted'")
    change.execute_many([(date(2028, 3, day), Decimal(day), "", row.pk) for day in (2, 3)])
    row.refresh_from_db()
    assert (row.start, row.cost) == (date(2028, 3, 3), Decimal(3))


def test_rows_equal_those_of_the_orm_and_have_extra_columns(ada: User) -> None:
    budgets = [make_budget("12.5", unit="money"), make_budget(7, scope="person", person=ada)]
    table = Budget._meta.db_table
    query = RowQuery(
        Budget,
        f"SELECT {select_columns(Budget, 'b')}, b.id + 1 FROM {table} b WHERE b.id > %(after)s ORDER BY b.id",
        "spending_pk",
    )
    found = query.fetch({"after": 0})
    assert [model_to_dict(each) for each in found] == [model_to_dict(each) for each in Budget.objects.order_by("pk")]
    assert [each.spending_pk for each in found] == [each.pk + 1 for each in budgets]
    assert query.fetch({"after": budgets[1].pk}) == []


def test_a_prepared_query_returns_the_first_row_and_its_related_row() -> None:
    models = [make_model(name, input_price=Decimal("1.2345")) for name in ("Clever", "Quick")]
    prepared = PreparedQuery(
        lambda name, pk: ChatModel.objects.filter(model_id=name, pk__gt=pk).order_by("pk"),
        *("an example", 2**53),
        related="provider",
    )
    for model in models:
        with CaptureQueriesContext(connection) as queries:
            found = prepared.first(model.model_id, model.pk - 1)
            assert found == model and model_to_dict(found) == model_to_dict(model)
            assert found.provider == model.provider and found.provider.created_at == model.provider.created_at
        assert len(queries) == 1
    assert prepared.first("clever", models[0].pk) is None
