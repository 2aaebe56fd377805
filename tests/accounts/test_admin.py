"""The admin: who has access, how they sign in, and how they manage people."""

import pytest
from django.contrib.auth.models import Permission

from accounts import sessions
from accounts.models import User
from tests.accounts.pages import PASSWORD, offences_against_csp
from tests.accounts.visits import is_signed_in, sign_in

PEOPLE = "/admin/accounts/user/"


@pytest.fixture
def announced(monkeypatch):
    """The people whose sessions were announced to have ended."""
    pks = []
    monkeypatch.setattr(sessions, "_listeners", [pks.append])
    return pks


@pytest.fixture
def steward(ben):
    """Ben, who may change people but is not a superuser."""
    ben.is_staff = True
    ben.save()
    ben.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    return ben


def act(browser, action, *people):
    return browser.post(PEOPLE, {"action": action, "_selected_action": [person.pk for person in people]}, follow=True)


def test_the_admin_has_no_sign_in_page_of_its_own(client, root):
    assert client.get("/admin/", follow=True).redirect_chain[-1][0] == "/accounts/login/?next=/admin/"
    assert client.get("/admin/login/?next=/admin/auth/")["Location"] == "/accounts/login/?next=/admin/auth/"
    answer = client.post("/admin/login/", {"username": "root", "password": PASSWORD, "next": "/admin/"})
    assert answer["Location"].startswith("/accounts/login/")
    assert not is_signed_in(client)


def test_an_administrator_signs_in_on_the_page_of_the_site(client, root):
    answer = sign_in(client, username="root", path="/accounts/login/?next=/admin/")
    assert answer["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/login/")["Location"] == "/admin/"


def test_a_signed_in_member_cannot_guess_passwords_in_the_admin(browser_of, root, ada):
    answer = browser_of(root).post("/admin/login/", {"username": "ada", "password": PASSWORD})
    assert answer["Location"] == "/admin/"
    assert "sessionid" not in answer.cookies


def test_a_member_is_refused(browser_of, ada):
    assert browser_of(ada).get("/admin/", follow=True).status_code == 403


def test_signing_out_of_the_admin_signs_out_of_the_site(browser_of, root, announced):
    browser = browser_of(root)
    browser.post("/admin/logout/")
    assert not is_signed_in(browser)
    assert announced == [root.pk]


@pytest.mark.parametrize(
    "page", ["", "accounts/user/", "accounts/user/add/", "accounts/user/{}/change/", "accounts/user/{}/password/",
             "accounts/user/?q=love", "accounts/user/{}/history/", "auth/group/", "auth/group/add/"]
)  # fmt: skip
def test_admin_pages_follow_the_csp_and_link_back_to_the_site(browser_of, root, ada, page):
    answer = browser_of(root).get("/admin/" + page.format(ada.pk))
    assert answer.status_code == 200
    assert "Back to the site" in answer.text
    assert not offences_against_csp(answer)
    assert "unsafe" not in answer["Content-Security-Policy"]


@pytest.mark.parametrize("sought", ["ada", "lovelace", "ada@example"])
def test_people_are_found_by_username_name_and_email(browser_of, root, ada, ben, sought):
    answer = browser_of(root).get(PEOPLE, {"q": sought})
    assert "Ada Lovelace" in answer.text and "Ben Okri" not in answer.text


@pytest.mark.parametrize("filters", ["is_active__exact=0", "is_staff__exact=1", "last_login__isnull=True"])
def test_people_are_filtered(browser_of, root, ada, filters):
    answer = browser_of(root).get(f"{PEOPLE}?{filters}")
    assert answer.status_code == 200


def test_an_administrator_adds_a_person_who_can_sign_in(browser_of, client, root):
    form = {"username": "grace", "name": "Grace Hopper", "email": "", "password1": "harbour light at six"}
    browser_of(root).post(PEOPLE + "add/", form | {"password2": form["password1"]})
    assert User.objects.get(username="grace").name == "Grace Hopper"
    sign_in(client, username="grace", password="harbour light at six")
    assert is_signed_in(client)


def test_two_people_cannot_share_a_username_by_its_case(browser_of, root, ada):
    form = {"username": "ADA", "password1": "harbour light at six", "password2": "harbour light at six"}
    answer = browser_of(root).post(PEOPLE + "add/", form)
    assert "already" in answer.text
    assert User.objects.count() == 2


@pytest.mark.parametrize(
    ("taken", "new"), [("\u00c4da", "\u00e4da"), ("stra\u00dfe", "STRASSE"), ("\u0391\u03a3", "\u03b1\u03c2")]
)
def test_the_case_of_other_letters_than_ascii_is_ignored_too(browser_of, root, taken, new):
    User.objects.create_user(taken)
    form = {"username": new, "password1": "harbour light at six", "password2": "harbour light at six"}
    answer = browser_of(root).post(PEOPLE + "add/", form)
    assert "already" in answer.text
    assert User.objects.count() == 2


def test_people_whose_usernames_differ_by_case_since_an_older_version_can_be_changed(browser_of, root):
    User.objects.create_user("stra\u00dfe")
    other = User.objects.create_user("strasse")
    form = {"username": "strasse", "name": "Sam", "email": "", "is_active": "on"}
    answer = browser_of(root).post(f"{PEOPLE}{other.pk}/change/", form)
    assert answer.status_code == 302
    other.refresh_from_db()
    assert other.name == "Sam"


def test_an_administrator_gives_a_new_password(
    browser_of, client, root, ada, announced, django_capture_on_commit_callbacks
):
    ada_elsewhere = browser_of(ada)
    new = {"password1": "harbour light at six", "password2": "harbour light at six", "usable_password": "true"}
    with django_capture_on_commit_callbacks(execute=True):
        browser_of(root).post(f"{PEOPLE}{ada.pk}/password/", new)
    assert not is_signed_in(ada_elsewhere)
    assert announced == [ada.pk]
    sign_in(client, password="harbour light at six")
    assert is_signed_in(client)


def test_deactivating_signs_out_at_once_and_can_be_undone(
    browser_of, root, ada, announced, django_capture_on_commit_callbacks
):
    admin, ada_elsewhere = browser_of(root), browser_of(ada)
    with django_capture_on_commit_callbacks(execute=True):
        act(admin, "deactivate", ada, root)
    assert not is_signed_in(ada_elsewhere)
    assert is_signed_in(admin), "nobody deactivates themselves"
    assert announced == [ada.pk]
    act(admin, "activate", ada)
    assert is_signed_in(ada_elsewhere)


def test_a_person_who_has_signed_in_can_be_deactivated_but_not_deleted(browser_of, client, root, ada):
    sign_in(client)
    admin = browser_of(root)
    assert admin.post(f"{PEOPLE}{ada.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in admin.get(PEOPLE).text
    assert User.objects.filter(pk=ada.pk).exists()


def test_an_account_that_was_never_used_can_be_deleted(browser_of, root, ben):
    browser_of(root).post(f"{PEOPLE}{ben.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=ben.pk).exists()


def test_a_steward_cannot_grant_permissions_to_anybody(browser_of, steward, ada):
    browser = browser_of(steward)
    for person in (ada, steward):
        form = {"username": person.username, "name": "New", "email": "", "is_active": "on"}
        browser.post(f"{PEOPLE}{person.pk}/change/", form | {"is_staff": "on", "is_superuser": "on"})
        person.refresh_from_db()
        assert person.name == "New"
        assert not person.is_superuser
    assert not ada.is_staff


def test_a_steward_cannot_touch_an_administrator(browser_of, steward, root):
    browser = browser_of(steward)
    assert browser.post(f"{PEOPLE}{root.pk}/password/", {}).status_code == 403
    browser.post(f"{PEOPLE}{root.pk}/change/", {"username": "root", "name": "Mine"})
    act(browser, "deactivate", root)
    root.refresh_from_db()
    assert (root.name, root.is_active) == ("Ruth Root", True)
