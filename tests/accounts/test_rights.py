"""Rights are not to be had through others: everybody tries, at every door, to gain what they lack."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import ApiKey, User
from ledger.models import Budget
from tests.places import address_in, make_place
from tests.routes import routes

pytestmark = pytest.mark.django_db

NEW = "harbour light at six"
PASSWORDS = {"password1": NEW, "password2": NEW, "usable_password": "true"}
PERSON = ("username", "name", "email", "password", "is_active", "is_staff", "is_superuser")


def permission(label: str) -> Permission:
    app, codename = label.split(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def rights_of(person: User) -> set[Any]:
    """What is stored, whether the account is active or not."""
    held = {*person.user_permissions.all(), *Permission.objects.filter(group__user=person)}
    return held | {flag for flag in ("is_staff", "is_superuser") if getattr(person, flag)}


def snapshot() -> dict[str, Any]:
    """Everybody's account and rights, and what every group gives."""
    people = {
        person.pk: ({field: getattr(person, field) for field in PERSON}, rights_of(person))
        for person in User.objects.all()
    }
    groups = {group.pk: set(group.permissions.all()) for group in Group.objects.all()}
    keys = list(ApiKey.objects.order_by("pk").values("pk", "person", "digest", "revoked_at"))
    return {"people": people, "groups": groups, "keys": keys, "budgets": set(Budget.objects.values_list("pk"))}


@pytest.fixture
def chief(ben: User) -> User:
    """Ben, who may change providers and is not a superuser. He has never signed in."""
    ben.is_staff = True
    ben.save()
    ben.user_permissions.add(permission("upstreams.change_provider"))
    ApiKey.objects.create(person=ben, name="Nightly report", digest="0" * 64, beginning="cs-abc")
    return ben


@pytest.fixture
def retired(db: None) -> User:
    """Has rights through a group and is deactivated."""
    person = User.objects.create_user("retired", password="a quiet reading room", is_active=False)
    group = Group.objects.create(name="Former stewards")
    group.permissions.add(permission("upstreams.change_provider"))
    person.groups.add(group)
    return person


@pytest.fixture
def group(db: None) -> Group:
    """Gives a right, and has a budget."""
    editors = Group.objects.create(name="Editors")
    editors.permissions.add(permission("ledger.change_budget"))
    Budget.objects.create(scope="group", group=editors, limit=10)
    return editors


@pytest.fixture
def staff(mallory: User) -> Callable[..., Client]:
    """`staff("auth.change_group")` is a browser of Mallory as a staff member with exactly these permissions."""

    def sign_in(*labels: str) -> Client:
        mallory.is_staff = True
        mallory.save()
        mallory.user_permissions.set([permission(label) for label in labels])
        browser = Client()
        browser.force_login(mallory)
        mallory.groups.set([Group.objects.get_or_create(name="Mallory's")[0]])
        return browser

    return sign_in


def doors(model: str) -> list[str]:
    app, name = model.split(".")
    return [f"{app}.{verb}_{name}" for verb in ("view", "add", "change", "delete")]


def change(person: User, **fields: Any) -> tuple[str, dict[str, Any]]:
    form = {"username": person.username, "name": person.name, "email": person.email, "is_active": "on"}
    return f"/admin/accounts/user/{person.pk}/change/", form | fields


def everything() -> dict[str, Any]:
    every = list(Permission.objects.values_list("pk", flat=True))
    groups = list(Group.objects.values_list("pk", flat=True))
    return {"is_staff": "on", "is_superuser": "on", "user_permissions": every, "permissions": every, "groups": groups}


def act(action: str, *rows: Any) -> dict[str, Any]:
    return {"action": action, "_selected_action": [row.pk for row in rows], "select_across": "1", "post": "yes"}


def attacks(person: User) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a steward can try against an account with more rights."""
    edit = f"/admin/accounts/user/{person.pk}/"
    yield change(person, name="Mine")
    yield change(person, email="mallory@example.org")
    yield change(person, username="mine")
    yield change(person, is_active="")
    yield change(person, name="Mine", _saveasnew="1", _popup="1", **everything())
    yield edit + "password/", PASSWORDS
    yield f"/admin/accounts/user/_3{person.pk}/password/", PASSWORDS
    yield edit + "password/", {**PASSWORDS, "usable_password": "false", "unset-password": "1"}
    yield edit + "delete/", {"post": "yes"}
    people = "/admin/accounts/user/"
    for action in ("deactivate", "activate", "delete_selected"):
        yield people, act(action, person)
        yield f"{people}?is_active__exact=1", act(action, person)
    for key in person.api_keys.all():
        yield f"/settings/keys/{key.pk}/revoke/", {}


@pytest.mark.parametrize("who", ["root", "chief", "retired"])
def test_a_steward_cannot_take_over_an_account_with_more_rights(
    staff: Any, who: str, request: pytest.FixtureRequest
) -> None:
    victim: User = request.getfixturevalue(who)
    ApiKey.objects.create(person=victim, name="Another", digest="1" * 64, beginning="cs-def")
    browser = staff(*doors("accounts.user"), *doors("accounts.apikey"))
    for address, form in attacks(victim):
        before = snapshot()
        answer = browser.post(address, form)
        assert answer.status_code < 500, address
        assert snapshot() == before, (address, form)


def test_a_steward_manages_everybody_without_more_rights(staff: Any, ada: User) -> None:
    browser = staff(*doors("accounts.user"), *doors("accounts.apikey"))
    key = ApiKey.objects.create(person=ada, name="Another", digest="1" * 64, beginning="cs-def")
    browser.post(*change(ada, name="New"))
    browser.post(f"/admin/accounts/user/{ada.pk}/password/", PASSWORDS)
    browser.post(f"/settings/keys/{key.pk}/revoke/", {})
    ada.refresh_from_db()
    key.refresh_from_db()
    assert ada.name == "New" and ada.check_password(NEW) and key.revoked_at
    browser.post("/admin/accounts/user/", act("deactivate", ada))
    assert not User.objects.get(pk=ada.pk).is_active
    browser.post("/admin/accounts/user/", act("activate", ada))
    assert User.objects.get(pk=ada.pk).is_active
    browser.post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=ada.pk).exists()


def test_actions_on_many_people_leave_out_those_with_more_rights(
    staff: Any, ada: User, chief: User, root: User, mallory: User
) -> None:
    browser = staff(*doors("accounts.user"))
    browser.post("/admin/accounts/user/", act("deactivate", ada, chief, root, mallory))
    assert set(User.objects.filter(is_active=False)) == {ada}


def test_a_steward_gives_rights_to_nobody(staff: Any, ada: User, mallory: User, group: Group) -> None:
    browser = staff(*doors("accounts.user"), *doors("auth.group"))
    own = {"is_staff", *(permission(label) for label in [*doors("accounts.user"), *doors("auth.group")])}
    for person in (ada, mallory):
        browser.post(*change(person, **everything(), _saveasnew="1"))
    browser.post("/admin/accounts/user/add/", {"username": "grace", **PASSWORDS, **everything()})
    grace = User.objects.get(username="grace")
    assert not rights_of(grace) and not grace.groups.exists()
    assert rights_of(User.objects.get(pk=mallory.pk)) == own
    assert not rights_of(User.objects.get(pk=ada.pk))
    assert not group.user_set.exists()


def test_a_group_gets_only_rights_that_the_person_holds(staff: Any, mallory: User) -> None:
    browser = staff(*doors("auth.group"))
    own = mallory.groups.get()
    held, missing = permission("auth.change_group"), permission("upstreams.change_provider")
    change_own = f"/admin/auth/group/{own.pk}/change/"
    for permissions in ([missing.pk], [held.pk, missing.pk], [*Permission.objects.values_list("pk", flat=True)]):
        for address in (change_own, "/admin/auth/group/add/", "/admin/auth/group/add/?_popup=1"):
            answer = browser.post(address, {"name": "Gained", "permissions": permissions, "_saveasnew": "1"})
            assert answer.status_code == 200 and "Select a valid choice" in answer.text
    assert not Group.objects.filter(name="Gained").exists() and not own.permissions.exists()
    browser.post(change_own, {"name": "Editors", "permissions": [held.pk]})
    assert list(own.permissions.all()) == [held]
    page = browser.get(change_own).text
    assert "Can change group" in page and "provider" not in page


def test_a_group_with_more_rights_cannot_be_changed_or_deleted(staff: Any, group: Group) -> None:
    browser = staff(*doors("auth.group"))
    for address, form in [
        (f"/admin/auth/group/{group.pk}/change/", {"name": "Mine"}),
        (f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}),
        ("/admin/auth/group/", act("delete_selected", group)),
    ]:
        browser.post(address, form)
        group.refresh_from_db()
        assert group.name == "Editors" and group.permissions.count() == 1


def test_deleting_a_group_does_not_delete_a_budget_that_the_person_may_not_delete(staff: Any, group: Group) -> None:
    group.permissions.clear()
    for address, form in [
        (f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}),
        ("/admin/auth/group/", act("delete_selected", group)),
    ]:
        staff(*doors("auth.group")).post(address, form)
        assert Budget.objects.filter(group=group).exists()
    staff(*doors("auth.group"), "ledger.delete_budget").post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})
    assert not Group.objects.filter(pk=group.pk).exists()


@pytest.mark.parametrize("model", sorted(model._meta.label_lower for model in admin.site._registry))
def test_no_page_of_the_admin_gives_rights(
    staff: Any, model: str, ada: User, chief: User, root: User, retired: User, group: Group, mallory: User
) -> None:
    """A staff member with all permissions of one model tries every page and action of it, on every row."""
    browser = staff(*doors(model))
    app, name = model.split(".")
    rows = list(apps.get_model(model)._default_manager.values_list("pk", flat=True))
    gain = everything() | PASSWORDS | {"name": "Gained", "username": "gained", "email": "x@example.org", "post": "yes"}
    addresses = [reverse(f"admin:{app}_{name}_{page}") for page in ("changelist", "add")]
    for pk in rows:
        if (model, pk) not in (("accounts.user", ada.pk), ("accounts.user", mallory.pk)):
            addresses += [reverse(f"admin:{app}_{name}_{page}", args=[pk]) for page in ("change", "delete", "history")]
    before = {person.pk: rights_of(person) for person in User.objects.all()}
    given = {each.pk: set(each.permissions.all()) for each in Group.objects.all()}
    accounts = {person.pk: person.password for person in (chief, root, retired)}
    for address in addresses:
        for form in (gain, gain | {"_saveasnew": "1"}, act("delete_selected", *Group.objects.all()) | gain):
            assert browser.post(address, form).status_code < 500
    own = {permission(label) for label in doors(model)}
    for person in User.objects.all():
        assert rights_of(person) - own <= before.get(person.pk, set()), person
    for each in Group.objects.all():
        assert set(each.permissions.all()) - own <= given.get(each.pk, set()), each
    assert {pk: User.objects.get(pk=pk).password for pk in accounts} == accounts


def test_no_address_of_the_site_gives_the_one_right_that_is_missing(
    staff: Any, ada: User, ben: User, root: User, mallory: User
) -> None:
    """Mallory holds every permission but one, and sends everything to every address."""
    place = make_place(ada, ben)
    missing = permission("upstreams.delete_provider")
    owners = Group.objects.create(name="Owners")
    owners.permissions.add(missing)
    owner = User.objects.create_user("owner", password="a quiet reading room", is_staff=True, last_login=now())
    owner.user_permissions.add(missing)
    every = {f"{each.content_type.app_label}.{each.codename}" for each in Permission.objects.all()}
    browser = staff(*every - {"upstreams.delete_provider"})
    gain = everything() | PASSWORDS | {"name": "Gained", "username": "gained", "email": "x@example.org", "post": "yes"}
    addresses = []
    for route in routes():
        if route not in ("accounts/logout/", "admin/logout/", "accounts/password/") and "delete" not in route:
            where = address_in(place, route)
            rows = (root, owner, mallory) if "/user/1/" in where else (owners,) if "/group/1/" in where else ()
            addresses += [re.sub("/1/", f"/{row.pk}/", where) for row in rows] or [where]
    for where in addresses:
        assert browser.post(where, gain).status_code < 500, where
    holders = {person.pk for person in User.objects.all() if missing in rights_of(person)}
    assert holders == {owner.pk}
    assert set(User.objects.filter(is_superuser=True)) == {root}
    assert [group.name for group in Group.objects.filter(permissions=missing)] == ["Owners"]
    for person in (root, owner):
        kept = User.objects.get(pk=person.pk)
        assert (kept.username, kept.password, kept.email) == (person.username, person.password, person.email)
