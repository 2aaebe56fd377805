"""A person's own account: the profile, changing the password, signing out."""

from django.test import Client

from accounts import sessions
from tests.accounts.pages import PASSWORD, buttons, labels, offences_against_csp, page
from tests.accounts.visits import is_signed_in, sign_in

CHANGE = "/accounts/password/"
NEW = "an even quieter room"


def change(client, old=PASSWORD, new=NEW, again=None):
    return client.post(CHANGE, {"oldpassword": old, "password1": new, "password2": again or new})


def test_the_account_page_shows_the_profile(browser_of, ada):
    answer = browser_of(ada).get("/accounts/")
    assert page(answer).xpath("//h1")[0].text == "Your account"
    assert [fact.text_content() for fact in page(answer).xpath("//main//dd")] == [
        "Ada Lovelace",
        "ada",
        "ada@example.org",
    ]
    assert page(answer).xpath("//main//a[contains(., 'Change password')]/@href") == [CHANGE]
    assert "/account/keys/" in page(answer).xpath("//main//section//a[contains(., 'API keys')]/@href")
    assert not offences_against_csp(answer)


def test_ada_changes_her_password_and_stays_signed_in(browser_of, ada):
    browser = browser_of(ada)
    answer = change(browser)
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/")
    assert "Your password has been changed" in browser.get("/accounts/").text
    ada.refresh_from_db()
    assert ada.check_password(NEW)


def test_a_changed_password_signs_every_other_browser_out(browser_of, ada):
    here, elsewhere = browser_of(ada), browser_of(ada)
    change(here)
    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)


def test_the_old_password_is_needed(browser_of, ada):
    answer = change(browser_of(ada), old="wrong")
    assert answer.status_code == 422
    field = labels(answer)["Current password"]
    assert field.get("aria-invalid") == "true"
    assert "This is not your current password." in answer.text


def test_weak_and_differing_passwords_are_refused(browser_of, ada):
    browser = browser_of(ada)
    assert "too common" in change(browser, new="1234567890").text
    assert "at least 10 characters" in change(browser, new="short").text
    assert "too similar to the name" in change(browser, new="ada lovelace").text
    assert "same password" in change(browser, again="something else").text


def test_guessing_the_old_password_is_throttled(browser_of, ada):
    browser = browser_of(ada)
    for _ in range(5):
        change(browser, old="wrong")
    assert change(browser).status_code == 429


def test_signing_out_ends_the_session_in_every_tab_of_that_browser(client, ada):
    sign_in(client)
    other_tab = Client()
    other_tab.cookies = client.cookies.copy()
    assert is_signed_in(other_tab)
    answer = client.post("/accounts/logout/", follow=True)
    assert answer.redirect_chain == [("/accounts/login/", 302)]
    assert "You have signed out." in answer.text
    assert not is_signed_in(other_tab)


def test_signing_out_leaves_other_browsers_alone(browser_of, ada):
    here, elsewhere = browser_of(ada), browser_of(ada)
    here.post("/accounts/logout/")
    assert is_signed_in(elsewhere)


def test_a_link_cannot_sign_anybody_out(browser_of, ada):
    browser = browser_of(ada)
    answer = browser.get("/accounts/logout/")
    assert "Sign out" in buttons(answer)
    assert is_signed_in(browser)


def test_a_deactivated_person_is_out_at_once(browser_of, ada):
    browser = browser_of(ada)
    ada.is_active = False
    ada.save()
    assert not is_signed_in(browser)


def test_listeners_are_called_when_a_session_may_have_ended(browser_of, ada, monkeypatch):
    heard = []
    monkeypatch.setattr(sessions, "_listeners", [heard.append])
    browser = browser_of(ada)
    change(browser)
    browser.post("/accounts/logout/")
    browser.post("/accounts/logout/")
    assert heard == [ada.pk, ada.pk]
