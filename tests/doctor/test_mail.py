"""The test message on the page "System"."""

import pytest
from django.urls import reverse

from chatsite.mail.mailers import read_mailers
from tests.mail.mail_server import MailServer
from tests.pages import HTMX, Page, fragment, words

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(root, browser_of):
    return browser_of(root)


def send(admin, recipient="ben@example.org", headers=HTMX):
    return admin.post(reverse("system_mail"), {"recipient": recipient}, headers=headers)


def test_without_mail_the_page_says_how_to_set_it_up(admin, settings):
    settings.MAILERS = {}
    page = Page(admin.get(reverse("system")).text)
    assert "To send mail, set EMAIL_URL." in words(page.one("#main")) and not page.find("[name=recipient]")


def test_the_menu_and_the_tabs_lead_to_the_page(admin):
    page = Page(admin.get(reverse("providers")).text)
    assert page.one(f"#person-menu a[href='{reverse('system')}']") is not None
    assert page.one(f".tabs a[href='{reverse('system')}']") is not None


def test_an_administrator_sends_a_test_message(admin, settings):
    with MailServer() as server:
        settings.MAILERS = read_mailers(f"smtp://ada:zq9secret@127.0.0.1:{server.port}", 5)
        settings.DEFAULT_FROM_EMAIL = "chat@example.org"
        page = admin.get(reverse("system"))
        assert Page(page.text).one("[name=recipient]").get("value") == "root@example.org"
        answer = send(admin)
    assert "accepted the message to ben@example.org" in words(fragment(answer.text))
    assert "Mail works." in server.messages[0] and "ben@example.org" in server.recipients[0]
    assert "zq9secret" not in page.text + answer.text


def test_a_message_that_is_only_printed_is_not_said_to_be_sent(admin, settings):
    settings.MAILERS = read_mailers("console:", 5)
    answer = words(fragment(send(admin).text))
    assert "printed" in answer and "EMAIL_URL" in answer and "accepted" not in answer


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_a_failure_says_what_happened_and_what_to_do(admin, settings, headers):
    with MailServer() as server:
        server.replies["RCPT"] = "550 <b>unknown</b> zq9secret"
        settings.MAILERS = read_mailers(f"smtp://ada:zq9secret@127.0.0.1:{server.port}", 5)
        answer = send(admin, headers=headers)
    assert "refused the recipient" in answer.text and "zq9secret" not in answer.text and "<b>" not in answer.text


def test_an_address_that_is_not_one_is_refused(admin, settings):
    with MailServer() as server:
        settings.MAILERS = read_mailers(f"smtp://127.0.0.1:{server.port}", 5)
        assert "Nothing was sent." in send(admin, "ben").text
        assert server.connections == 0
