"""The usage pages: figures, charts, filters and drill-down, for a person and for administrators."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate

from ledger.booking import entries
from ledger.booking.entries import Outcome
from ledger.reports.charts import round_up
from ledger.reports.url_parameters import STRETCHES
from tests.accounts.pages import offences_against_csp, page
from tests.ledger.calling import at, begin_call, make_budget, make_call, make_key, make_meter, make_model
from tests.pages import words

OWN, EVERYBODYS = "/account/usage/", "/settings/usage/"

pytestmark = pytest.mark.django_db


def totals(answer):
    terms, figures = page(answer).xpath("//dl[@class='totals']//dt"), page(answer).xpath("//dl[@class='totals']//dd")
    return {words(term): words(figure) for term, figure in zip(terms, figures, strict=True)}


def lines(answer):
    return [words(row) for row in page(answer).xpath("//table[contains(@class, 'usage-table')]/tbody/tr")]


def links(answer, label):
    """The URLs of a choice, by label."""
    return {words(link): link.get("href") for link in page(answer).xpath(f"//nav[@aria-label='{label}']/a")}


def chips(answer):
    return {words(chip): chip.get("href") for chip in page(answer).xpath("//ul[@class='chips']//a")}


def row(answer, name):
    [link] = page(answer).xpath(f"//table[contains(@class, 'usage-table')]//th/a[text()='{name}']/@href")
    return link


@pytest.fixture
def used(ada, ben, model):
    """Ada has called two models, one of them with a key, and Ben one."""
    other = make_model("Other")
    make_call(ada, model, 1000, 100)
    make_call(ada, other, 500, 50, key=make_key(ada, "Nightly report"))
    make_call(ben, model, 7000, 700)
    return other


def test_people_see_their_own_usage(browser_of, ada, used):
    answer = browser_of(ada).get(OWN)
    assert totals(answer) == {"Cost": "$0.0020", "Tokens": "1,650", "Calls": "2", "Failed": "0"}
    assert [line.split(" ")[0] for line in lines(answer)] == ["Clever", "Other"]
    assert "Ben" not in answer.text and not offences_against_csp(answer)


def test_no_url_shows_the_usage_of_others(browser_of, ada, ben, root, used):
    key = make_key(ben, "Ben's secret program")
    for query in (f"person={ben.pk}", "by=person", f"key={key.pk}", "by=group", f"person={ben.pk}&by=call", "by=call"):
        answer = browser_of(ada).get(f"{OWN}?{query}")
        assert answer.status_code == 200 and "Ben" not in answer.text and "7,000" not in answer.text
    # The own page of an administrator shows their own usage as well.
    assert totals(browser_of(root).get(f"{OWN}?person={ada.pk}"))["Calls"] == "0"


def test_all_usage_needs_a_permission(browser_of, ada, mallory, root, used):
    assert browser_of(ada).get(EVERYBODYS).status_code == 403
    mallory.user_permissions.add(Permission.objects.get(codename="view_usagesum"))
    for reader in (mallory, root):
        assert totals(browser_of(reader).get(EVERYBODYS))["Tokens"] == "9,350"


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("model", ["Clever House", "Other House"]),
        ("person", ["Ben Okri", "Ada Lovelace"]),
        ("group", ["Editors", "No group"]),
        ("key", ["No key", "Nightly report Ada Lovelace"]),
        ("source", ["Conversations", "API"]),
    ],
)
def test_usage_is_grouped_by_a_dimension(browser_of, ada, ben, root, model, by, names):
    ben.groups.add(Group.objects.create(name="Editors"))
    make_call(ben, model, 7000, 700)
    make_call(ada, make_model("Other"), 500, 50, key=make_key(ada, "Nightly report"))
    answer = browser_of(root).get(EVERYBODYS, {"by": by})
    assert [line[: len(name)] for line, name in zip(lines(answer), names, strict=True)] == names


def test_a_day_is_a_row_that_links_to_its_usage(browser_of, root, ada, model):
    make_call(ada, model, 1000, 100)
    answer = browser_of(root).get(EVERYBODYS, {"by": "day"})
    today = localdate()
    name = f"{today:%a} {today.day} {today:%B %Y}"
    [line] = lines(answer)
    assert line.startswith(f"{name} 1 – 1,000 100")
    onward = browser_of(root).get(EVERYBODYS + row(answer, name))
    assert chips(onward) == {f"Only {today.day} {today:%B %Y} – remove": "?by=model"}
    assert lines(onward)[0].startswith("Clever House 1") and not page(onward).xpath("//figure")


def test_a_row_links_to_its_details_and_a_chip_links_back(browser_of, root, used):
    browser = browser_of(root)
    people = browser.get(EVERYBODYS, {"by": "person", "period": "7-days"})
    models = browser.get(EVERYBODYS + row(people, "Ada Lovelace"))
    assert list(chips(models)) == ["Person Ada Lovelace – remove"] and totals(models)["Calls"] == "2"
    assert [line.split(" ")[0] for line in lines(models)] == ["Clever", "Other"]
    keys = browser.get(EVERYBODYS + row(models, "Other"))
    assert list(chips(keys)) == ["Person Ada Lovelace – remove", "Model Other – remove"]
    assert totals(keys)["Tokens"] == "550" and "period=7-days" in chips(keys)["Model Other – remove"]
    back = browser.get(EVERYBODYS + chips(keys)["Person Ada Lovelace – remove"])
    assert list(chips(back)) == ["Model Other – remove"]


def test_every_row_links_on_under_any_filters(browser_of, root, used):
    browser, where = browser_of(root), f"{EVERYBODYS}?by=group"
    for _ in range(6):
        answer = browser.get(where)
        found = page(answer).xpath("//table[contains(@class, 'usage-table')]//th/a/@href")
        assert answer.status_code == 200 and found
        where = EVERYBODYS + found[0]


def test_every_choice_on_the_page_has_a_page(browser_of, root, used):
    browser = browser_of(root)
    first = browser.get(EVERYBODYS)
    for label in ("Period", "Told by", "What the chart shows", "How it is shown"):
        for address in links(first, label).values():
            answer = browser.get(EVERYBODYS + address)
            assert answer.status_code == 200 and not offences_against_csp(answer)


@pytest.mark.parametrize(
    "query",
    [
        "period=x",
        "by=x",
        "person=x",
        f"person={10**30}",
        "source=x",
        "on=2026-13",
        "on=9999-12",
        "on=0001-01-01",
        "on=9999-12-31&by=call",
        "on=0001-01-01&by=call",
    ]
    + ["measure=x", "as=x", "page=99", "page=x", "before=x", "by=call&before=1", "model=0", "key=0&by=person"],
)
def test_invalid_parameters_are_ignored(browser_of, root, ada, used, query):
    assert browser_of(root).get(f"{EVERYBODYS}?{query}").status_code == 200
    assert browser_of(ada).get(f"{OWN}?{query}").status_code == 200


@pytest.mark.parametrize(
    ("stretch", "today", "first", "last"),
    [
        ("7-days", date(2026, 3, 3), date(2026, 2, 25), date(2026, 3, 3)),
        ("30-days", date(2026, 3, 3), date(2026, 2, 2), date(2026, 3, 3)),
        ("this-month", date(2026, 3, 1), date(2026, 3, 1), date(2026, 3, 1)),
        ("last-month", date(2026, 3, 31), date(2026, 2, 1), date(2026, 2, 28)),
        ("12-months", date(2026, 3, 31), date(2025, 4, 1), date(2026, 3, 31)),
        ("12-months", date(2026, 12, 5), date(2026, 1, 1), date(2026, 12, 5)),
    ],
)
def test_periods_follow_the_calendar(stretch, today, first, last):
    found = STRETCHES[stretch][1](today)
    assert (found.first, found.last) == (first, last)


def test_a_long_range_is_shown_by_months(browser_of, root, ada, model, monkeypatch):
    make_call(ada, model)
    last = localdate().replace(day=1) - timedelta(days=40)
    monkeypatch.setattr(entries, "now", lambda: at(f"{last.isoformat()}T12:00:00"))
    make_call(ada, model)
    answer = browser_of(root).get(EVERYBODYS, {"period": "12-months", "by": "day"})
    assert [line.split(" 1 ")[0] for line in lines(answer)] == [f"{localdate():%B %Y}", f"{last:%B %Y}"]
    month = browser_of(root).get(EVERYBODYS + row(answer, f"{last:%B %Y}"))
    assert totals(month)["Calls"] == "1" and page(month).xpath("//figure")


def test_totals_are_compared_with_the_range_before(browser_of, root, ada, model, monkeypatch):
    for days, read in ((0, 3000), (7, 2000), (14, 9000)):
        monkeypatch.setattr(entries, "now", lambda days=days: at(f"{localdate() - timedelta(days=days)}T12:00:00"))
        make_call(ada, model, read, 0)
    answer = browser_of(root).get(EVERYBODYS, {"period": "7-days"})
    assert totals(answer)["Tokens"] == "3,000 +50 % compared with 2,000 in the 7 days before"
    # The ledger does not cover all of the 30 days before.
    assert totals(browser_of(root).get(EVERYBODYS, {"period": "30-days"}))["Tokens"] == "14,000"


# The chart


def test_the_chart_is_a_table_too(browser_of, root, used):
    answer = browser_of(root).get(EVERYBODYS)
    [figure] = page(answer).xpath("//figure")
    assert figure.xpath(".//div[contains(@class, 'visually-hidden')]/table") and figure.xpath(".//svg")
    table = browser_of(root).get(EVERYBODYS, {"as": "table"})
    [shown] = page(table).xpath("//figure")
    assert not shown.xpath(".//svg") and not shown.xpath(".//div[contains(@class, 'visually-hidden')]/table")
    for each in (figure, shown):
        cells = [words(cell) for cell in each.xpath(".//tbody/tr[last()]/*")]
        assert cells[1:] == ["3", "8,500", "850", "0", "$0.02"] and len(each.xpath(".//tbody/tr")) == 30


def test_bars_are_as_high_as_their_figures(browser_of, ada, root, model, monkeypatch):
    for days, read in ((0, 4000), (1, 1000)):
        monkeypatch.setattr(entries, "now", lambda days=days: at(f"{localdate() - timedelta(days=days)}T12:00:00"))
        make_call(ada, model, read, 0)
    answer = browser_of(root).get(EVERYBODYS, {"measure": "tokens", "period": "7-days"})
    bars = page(answer).xpath("//svg//rect[starts-with(@class, 'bar kind')]")
    assert [(bar.get("height"), bar.get("y")) for bar in bars] == [("25.0", "75.0"), ("100.0", "0.0")]
    assert [title.text for title in page(answer).xpath("//svg//title")][-2:] == [
        f"{day:%a} {day.day} {day:%B %Y}: {tokens} tokens"
        for day, tokens in ((localdate() - timedelta(days=1), "1,000"), (localdate(), "4,000"))
    ]


@pytest.mark.parametrize(
    ("highest", "top"), [("0", "1"), ("0.003", "0.003"), ("7", "8"), ("10.05", "12"), ("99", "100")]
)
def test_the_scale_ends_at_a_round_figure(highest, top):
    assert round_up(Decimal(highest)) == Decimal(top)


# Estimates, deleted subjects and unknown costs


def test_estimates_are_marked(browser_of, ada, model):
    make_call(ada, model, 1000, 100)
    assert "≈" not in browser_of(ada).get(OWN).text
    entries.settle(begin_call(ada, model), make_meter([]), Outcome.STOPPED)
    answer = browser_of(ada).get(OWN)
    assert totals(answer)["Tokens"].startswith("≈") and "for 1 call." in words(page(answer))
    assert "≈" in lines(answer)[0]
    first, second = lines(browser_of(ada).get(OWN, {"by": "call"}))
    assert "≈" in first and "stopped" in first and "≈" not in second


def test_deleted_subjects_keep_their_figures_and_names(browser_of, ada, root, model):
    make_call(ada, model, 1000, 100)
    model.delete()
    answer = browser_of(root).get(EVERYBODYS)
    assert lines(answer)[0].startswith("Clever House deleted 1 – 1,000 100")
    assert list(chips(browser_of(root).get(EVERYBODYS + row(answer, "Clever")))) == ["Model Clever – remove"]


def test_a_model_without_prices_has_no_known_cost(browser_of, ada):
    make_call(ada, make_model("Free"), 1000, 100)
    answer = browser_of(ada).get(OWN)
    assert totals(answer)["Cost"] == "–" and " – " in lines(answer)[0] and "Share of tokens" in answer.text
    assert "means that a model has no prices" in answer.text


def test_names_are_escaped(browser_of, ada, root):
    make_call(ada, make_model("<b>x</b>"), 1000, 100)
    for query in ({}, {"by": "call"}):
        answer = browser_of(root).get(EVERYBODYS, query)
        assert "&lt;b&gt;" in answer.text and not page(answer).xpath("//main//b")


def test_a_page_without_calls_says_so(browser_of, ada, root):
    for answer in (browser_of(ada).get(OWN), browser_of(root).get(EVERYBODYS)):
        assert "No usage in this period." in answer.text and not page(answer).xpath("//figure")
    assert "No calls in this period." in browser_of(ada).get(OWN, {"by": "call"}).text
    assert "No usage matches these filters" in browser_of(root).get(EVERYBODYS, {"person": ada.pk}).text


# The calls


def test_calls_are_listed_newest_first(browser_of, ada, root, model, monkeypatch):
    monkeypatch.setattr("ledger.views.usage.PER_PAGE", 2)
    for read in (1001, 1002, 1003):
        make_call(ada, model, read)
    begin_call(ada, model)
    answer = browser_of(root).get(EVERYBODYS, {"by": "call"})
    first, second = lines(answer)
    assert "Ada Lovelace Conversations – – – – running" in first and "1,003" in second
    [older] = page(answer).xpath("//nav[@aria-label='Pages']/a[@rel='next']/@href")
    onward = browser_of(root).get(EVERYBODYS + older)
    assert ["1,002" in lines(onward)[0], "1,001" in lines(onward)[1]] == [True, True]
    [latest] = page(onward).xpath("//nav[@aria-label='Pages']/a/@href")
    assert lines(browser_of(root).get(EVERYBODYS + latest)) == [first, second]


def test_many_rows_are_paginated(browser_of, ada, root, model, monkeypatch):
    monkeypatch.setattr("ledger.views.usage.PER_PAGE", 2)
    for number in range(3):
        make_call(type(ada).objects.create_user(f"p{number}"), model, 100 * number + 100)
    answer = browser_of(root).get(EVERYBODYS, {"by": "person"})
    assert len(lines(answer)) == 2 and "1–2 of 3" in answer.text
    [onward] = page(answer).xpath("//nav[@aria-label='Pages']/a[@rel='next']/@href")
    assert [line.split(" ")[0] for line in lines(browser_of(root).get(EVERYBODYS + onward))] == ["p0"]


def test_the_number_of_queries_does_not_grow_with_the_rows(browser_of, ada, root, model):
    browser, asked = browser_of(root), []
    for count in (2, 20):
        for number in range(count):
            make_call(type(ada).objects.create_user(f"p{count}-{number}"), model)
        with CaptureQueriesContext(connection) as queries:
            browser.get(EVERYBODYS, {"by": "person"})
        asked.append(len(queries))
    assert asked[0] == asked[1]


# A person's own budgets


def meters(answer):
    return [words(meter) for meter in page(answer).xpath("//div[starts-with(@class, 'meter')]")]


def test_people_see_the_budgets_that_apply_to_them(browser_of, ada, ben, model):
    make_budget(1000)
    make_budget(2000, scope="person")
    make_budget(400, scope="person", person=ada)
    make_budget(100, scope="person", person=ben)
    make_budget(300, scope="key", period="day")
    key = make_key(ada, "Nightly report")
    make_call(ada, model, 300, 30, key=key)
    site, own, program = meters(browser_of(ada).get(OWN))
    assert site.startswith("The site's monthly budget 330 tokens of 1,000 tokens · 33 % It renews on 1 ")
    assert own.startswith("Your monthly budget nearly used up 330 tokens of 400 tokens · 82 %")
    assert program.startswith("Nightly report, daily used up 330 tokens of 300 tokens · 110 %")
    assert len(meters(browser_of(ben).get(OWN))) == 2


def test_running_calls_show_as_reserved(browser_of, ada, model):
    make_budget(1000)
    begin_call(ada, model, prompt=200, answer=100)
    [site] = meters(browser_of(ada).get(OWN))
    assert "0 tokens of 1,000 tokens · 0 % " in site and "300 tokens reserved for running calls." in site


def test_failed_calls_are_counted_separately(browser_of, ada, model):
    entries.settle(begin_call(ada, model), make_meter([]), Outcome.FAILED)
    assert totals(browser_of(ada).get(OWN))["Failed"] == "1"
