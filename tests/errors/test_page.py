"""Administrators see what failed, find it by its reference, and put it aside until it happens again."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from chatsite.errors.recorder import ErrorRecorder
from chatsite.errors.storage import save
from chatsite.models import ErrorGroup
from tests.accounts.pages import offences_against_csp, page
from tests.errors.logged import fail_here, fail_there, log_failure

pytestmark = pytest.mark.django_db
ERRORS = "/settings/errors/"


@pytest.fixture
def browser(browser_of: Callable[[User], Client], root: User) -> Client:
    return browser_of(root)


@pytest.fixture
def group() -> ErrorGroup:
    return fail("req_1")


def fail(*ids: str, work: Callable[[], None] = fail_here) -> ErrorGroup:
    recorder = ErrorRecorder()
    for id in ids:
        log_failure(recorder, work, id)
    save(recorder.take())
    return ErrorGroup.objects.latest("last_at")


def rows(browser: Client, query: str = "") -> list[str]:
    answer = browser.get(ERRORS + query)
    assert answer.status_code == 200 and not offences_against_csp(answer)
    return [" ".join(row.text_content().split()) for row in page(answer).xpath("//main//tbody/tr")]


def test_an_empty_page_says_so(browser: Client) -> None:
    assert rows(browser) == []
    assert "Nothing has been logged as an error" in browser.get(ERRORS).text


def test_the_latest_error_is_first(browser: Client, group: ErrorGroup) -> None:
    fail("req_2", "req_3", work=fail_there)
    later, earlier = rows(browser)
    assert "fail_there" in later and " 2 now now " in later
    assert "ValueError: no tea" in earlier and "tests/errors/logged.py, fail_here" in earlier


def test_an_error_has_its_traceback_and_references(browser: Client) -> None:
    group = fail("req_1", "req_2")
    answer = browser.get(f"{ERRORS}{group.pk}/")
    assert not offences_against_csp(answer)
    assert [code.text for code in page(answer).xpath("//main//code[@class='reference']")] == ["req_2", "req_1"]
    [trace] = page(answer).xpath("//main//pre")
    assert trace.text.startswith("Traceback (most recent call last):") and trace.text.endswith("ValueError: no tea")


def test_what_an_error_says_is_text(browser: Client) -> None:
    def fail_with_html() -> None:
        raise ValueError("<script>alert(1)</script>")

    group = fail("req_1", work=fail_with_html)
    for address in (ERRORS, f"{ERRORS}{group.pk}/"):
        assert "<script>alert" not in browser.get(address).text


def test_an_error_is_found_by_its_reference(browser: Client, group: ErrorGroup) -> None:
    fail("req_2", work=fail_there)
    for sent in ("req_1", " REQ_1 "):
        [row] = rows(browser, f"?reference={sent}")
        assert "fail_here" in row
    ErrorGroup.objects.update(resolved_at=group.last_at)
    [row] = rows(browser, "?reference=req_1")
    assert "resolved" in row
    for unknown in ("req_3", "%25", "req%5C_1", "ж\u2028", "x" * 5000):
        assert rows(browser, f"?reference={unknown}") == []
    assert "No error has the reference “req_3”" in browser.get(f"{ERRORS}?reference=req_3").text


def test_a_resolved_error_is_put_aside_until_it_happens_again(browser: Client, group: ErrorGroup) -> None:
    answer = browser.post(f"{ERRORS}{group.pk}/resolve/", follow=True)
    assert "comes back to this list if it happens again" in answer.text and "All errors are resolved." in answer.text
    assert rows(browser) == [] and len(rows(browser, "?resolved")) == 1
    fail("req_2")
    assert len(rows(browser)) == 1 and rows(browser, "?resolved") == []


def test_a_resolved_error_can_be_reopened(browser: Client, group: ErrorGroup) -> None:
    browser.post(f"{ERRORS}{group.pk}/resolve/")
    browser.post(f"{ERRORS}{group.pk}/reopen/")
    assert len(rows(browser)) == 1


def test_those_who_can_only_read_cannot_resolve(
    browser_of: Callable[[User], Client], ada: User, group: ErrorGroup
) -> None:
    ada.user_permissions.add(Permission.objects.get(codename="view_errorgroup"))
    reading = browser_of(ada)
    assert len(rows(reading)) == 1
    assert "resolve/" not in reading.get(f"{ERRORS}{group.pk}/").text
    assert reading.post(f"{ERRORS}{group.pk}/resolve/").status_code == 403
    assert page(reading.get("/")).xpath(f"//nav//a[@href='{ERRORS}']")


def test_a_long_list_has_pages(browser: Client, group: ErrorGroup) -> None:
    # A page says for days that it was days ago.
    moment = group.last_at - timedelta(days=3)
    ErrorGroup.objects.update(first_at=moment, last_at=moment)
    ErrorGroup.objects.bulk_create(
        ErrorGroup(fingerprint=str(number), message=f"Cup {number}", first_at=moment, last_at=moment)
        for number in range(60)
    )
    assert (len(rows(browser)), len(rows(browser, "?page=2"))) == (50, 11)
    assert rows(browser, "?page=nonsense") == rows(browser)
