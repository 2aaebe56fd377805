"""The pages where administrators set budgets and limits and see their usage."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission

from ledger.models import Budget, RateLimit
from tests.accounts.pages import labels, offences_against_csp, page
from tests.ledger.calling import make_budget, make_call, make_key
from tests.pages import words

BUDGETS = "/settings/budgets/"
FIELDS = {"whose": "site", "limit": "500", "unit": "money", "period": "month", "warn_share": "80", "is_active": "on"}
LIMITS = {"whose": "each-person", "requests_a_minute": "60", "streams": "4"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(root, browser_of):
    return browser_of(root)


def rows(answer):
    return [words(row) for row in page(answer).xpath("//table[contains(@class, 'budgets-table')]/tbody/tr")]


def test_without_budgets_the_page_explains_them(admin):
    answer = admin.get(BUDGETS)
    assert "No budgets." in answer.text and "No rate limits." in answer.text and not offences_against_csp(answer)


def test_a_budget_is_added_changed_and_removed(admin):
    assert admin.post(f"{BUDGETS}add/", FIELDS)["Location"] == BUDGETS
    made = Budget.objects.get()
    assert (made.scope, made.limit, made.unit, made.period, made.warn_share) == ("site", 500, "money", "month", 80)
    answer = admin.get(BUDGETS)
    assert "Saved the budget for the whole site." in answer.text
    assert rows(answer) == ["The whole site $500.00 every month $0.00 · 0 % 80 %"]
    form = admin.get(f"{BUDGETS}{made.pk}/")
    assert labels(form)["Limit"].get("value") == "500"
    admin.post(f"{BUDGETS}{made.pk}/", FIELDS | {"limit": "2000000", "unit": "tokens", "is_active": ""})
    assert rows(admin.get(BUDGETS))[0].startswith("The whole site inactive 2,000,000 tokens")
    assert admin.get(f"{BUDGETS}{made.pk}/remove/").status_code == 405
    admin.post(f"{BUDGETS}{made.pk}/remove/")
    assert not Budget.objects.exists()


def test_a_budget_is_for_one_or_for_each(admin, ada):
    group, key = Group.objects.create(name="Editors"), make_key(ada, "Nightly report")
    subjects = {"person": ada.pk, "group": group.pk, "key": key.pk}
    for whose in ("person", "group", "key", "each-person", "each-group", "each-key"):
        # Fields that are not chosen may have values from an earlier choice.
        assert admin.post(f"{BUDGETS}add/", FIELDS | subjects | {"whose": whose}).status_code == 302
    assert [(each.scope, each.subject_name) for each in Budget.objects.order_by("pk")] == [
        *(("person", "Ada Lovelace"), ("group", "Editors"), ("key", "Nightly report")),
        *(("person", "each person"), ("group", "each group"), ("key", "each API key")),
    ]
    for each in Budget.objects.all():
        [chosen] = labels(admin.get(f"{BUDGETS}{each.pk}/"))["For"].xpath("option[@selected]/@value")
        assert chosen == ("each-" if each.is_for_each else "") + each.scope
    shown = [row.split(" $")[0] for row in rows(admin.get(BUDGETS))]
    assert shown == [
        *("Each group", "Editors", "Each person", "Ada Lovelace", "Each API key", "Nightly report Ada Lovelace")
    ]


@pytest.mark.parametrize(
    ("fields", "label", "told"),
    [
        ({"limit": ""}, "Limit", "This field is required."),
        ({"limit": "-1"}, "Limit", "greater than or equal to 0"),
        ({"limit": "1.5", "unit": "tokens"}, "Limit", "Enter a whole number of tokens."),
        ({"limit": "10000000000.01"}, "Limit", "Enter 10,000,000,000 or less."),
        ({"limit": "99999999999999"}, "Limit", "Enter 10,000,000,000 or less."),
        *(({"limit": str(number), "unit": "tokens"}, "Limit", "no more than 1") for number in (2**63 - 1, 10**30)),
        ({"limit": "1e400", "unit": "tokens"}, "Limit", "no more than 1"),
        ({"warn_share": "101"}, "Warn at", "less than or equal to 100"),
        ({"whose": "person"}, "Person", "Choose one."),
        ({"whose": "person", "person": "999999"}, "Person", "Select a valid choice."),
        ({"whose": "nobody"}, "For", "Select a valid choice."),
        ({"period": "year"}, "Renews", "Select a valid choice."),
    ],
)
def test_errors_are_shown_at_their_fields(admin, fields, label, told):
    answer = admin.post(f"{BUDGETS}add/", FIELDS | fields)
    assert answer.status_code == 422 and not Budget.objects.exists()
    field = labels(answer)[label]
    assert field.get("aria-invalid") == "true" and told in words(field.getparent())


def test_usage_of_a_budget_is_shown_in_words(admin, ada, ben, model):
    make_call(ben, model, 1100, 100)
    make_budget(10_000)
    make_budget(1000, scope="person")
    for _ in range(2):
        make_call(ada, model, 400, 60)
    site, each = rows(admin.get(BUDGETS))
    assert site == "The whole site 10,000 tokens every month 2,120 tokens · 21 % 80 %"
    assert "1,200 tokens · 120 % used up Ben Okri, the highest of 2" in each
    make_budget(5000, scope="person", person=ben)
    assert "920 tokens · 92 % nearly used up Ada Lovelace, the highest of 1" in rows(admin.get(BUDGETS))[1]


def test_the_budget_of_a_revoked_key_can_be_changed(admin, ada):
    key = make_key(ada)
    made = make_budget(1000, scope="key", key=key)
    key.revoke()
    fields = FIELDS | {"whose": "key", "key": key.pk, "limit": "7", "unit": "tokens"}
    assert admin.post(f"{BUDGETS}{made.pk}/", fields).status_code == 302
    made.refresh_from_db()
    assert made.limit == 7


def test_a_limit_is_added_changed_and_removed(admin, ada):
    admin.post("/settings/limits/add/", LIMITS)
    limit = RateLimit.objects.get()
    assert (limit.scope, limit.requests_a_minute, limit.streams, limit.is_for_each) == ("person", 60, 4, True)
    assert rows(admin.get(BUDGETS)) == ["Each person 60 4"]
    admin.post(f"/settings/limits/{limit.pk}/", LIMITS | {"whose": "person", "person": ada.pk, "streams": ""})
    assert rows(admin.get(BUDGETS)) == ["Ada Lovelace 60 –"]
    admin.post(f"/settings/limits/{limit.pk}/remove/")
    assert not RateLimit.objects.exists()


def test_a_subject_has_at_most_one_limit(admin, ada):
    key = make_key(ada)
    for whose in ({"whose": "each-key"}, {"whose": "key", "key": key.pk}, {"whose": "person", "person": ada.pk}):
        assert admin.post("/settings/limits/add/", LIMITS | whose).status_code == 302
        again = admin.post("/settings/limits/add/", LIMITS | whose)
        assert again.status_code == 422 and "already" in again.text
    assert RateLimit.objects.count() == 3


def test_a_limit_must_limit_something(admin):
    answer = admin.post("/settings/limits/add/", LIMITS | {"requests_a_minute": "", "streams": ""})
    assert answer.status_code == 422 and "Enter a limit for requests" in answer.text
    zero = admin.post("/settings/limits/add/", LIMITS | {"streams": "0"})
    assert zero.status_code == 422 and "greater than or equal to 1" in zero.text


def test_budgets_need_a_permission(browser_of, mallory):
    assert browser_of(mallory).get(BUDGETS).status_code == 403
    mallory.user_permissions.add(Permission.objects.get(codename="change_budget"))
    answer = browser_of(mallory).get(BUDGETS)
    assert answer.status_code == 200
    assert page(answer).xpath("//nav[@aria-label='Settings']/a/@href") == [BUDGETS]


def test_a_key_can_be_created_with_a_budget(browser_of, ada):
    fields = {"name": "Nightly report", "expires": "never", "scope": "every"}
    browser = browser_of(ada)
    wrong = browser.post("/account/keys/", fields | {"budget": "1.5", "unit": "tokens"})
    assert wrong.status_code == 422 and "Enter a whole number of tokens." in wrong.text and not Budget.objects.exists()
    huge = browser.post("/account/keys/", fields | {"budget": "99999999999999", "unit": "money"})
    assert huge.status_code == 422 and "Enter 10,000,000,000 or less." in huge.text and not Budget.objects.exists()
    browser.post("/account/keys/", fields | {"budget": "12.5", "unit": "money", "period": "day"})
    made = Budget.objects.get()
    assert (made.key, made.limit, made.period) == (ada.api_keys.get(), Decimal("12.5"), "day")
    assert "Nightly report, daily" in browser.get("/account/usage/").text
