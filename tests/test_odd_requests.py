"""No path, query, header, cookie or body makes the site fail, whoever sends it."""

import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from tests.audiences import ADMIN_ROUTES, ALL_ROUTES
from tests.odd import ODD, RAW, Ask, admin_names, form_names, forms_in, odd_bodies, odd_headers, send, undone
from tests.places import address_in, make_place
from tests.viewers import sign_in

pytestmark = pytest.mark.django_db

PERSONS = ("a stranger", "a member", "an administrator")
PAGES = sorted(ALL_ROUTES - ADMIN_ROUTES)
ADMIN = sorted(ADMIN_ROUTES)
METHODS = ["GET"] * 3 + ["POST"] * 2 + ["HEAD", "OPTIONS", "PUT", "DELETE", "\x7f"]
FORM_NAMES, ADMIN_NAMES = form_names(), admin_names()
CONVERTERS = {"int": st.from_regex(r"[0-9]{1,40}", fullmatch=True) | st.sampled_from(["0", str(2**63), "9" * 5000])}


@pytest.fixture
def place(ada: User, ben: User) -> SimpleNamespace:
    return make_place(ada, ben)


@pytest.fixture
def sessions(place: SimpleNamespace, ada: User, root: User, settings: Any) -> dict[str, str]:
    settings.DEBUG = False
    return {"a stranger": "", "a member": sign_in(ada), "an administrator": sign_in(root)}


@st.composite
def paths(draw: st.DrawFn, place: SimpleNamespace, route: str) -> str:
    """The route's address, with odd values in some of its placeholders."""
    address = address_in(place, route)
    holes = re.findall(r"<(?:(\w+):)?(\w+)>", route)
    if not holes or draw(st.booleans()):
        return address
    pieces = route.replace("^", "").replace("$", "")
    pieces = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", pieces)
    return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda hole: draw(CONVERTERS.get(hole[1] or "", ODD)), pieces)


@st.composite
def queries(draw: st.DrawFn, names: list[str]) -> list[tuple[str, str | bytes]]:
    pairs = st.tuples(st.sampled_from(names) | ODD, ODD | RAW)
    found: list[tuple[str, str | bytes]] = draw(st.lists(pairs, max_size=4))
    return found


@pytest.mark.parametrize("routes", [PAGES, ADMIN], ids=["pages", "admin"])
@given(data=st.data(), person=st.sampled_from(PERSONS))
def test_no_request_makes_the_site_fail(
    data: st.DataObject, routes: list[str], person: str, place: SimpleNamespace, sessions: dict[str, str]
) -> None:
    cache.clear()
    names = ADMIN_NAMES if routes is ADMIN else FORM_NAMES
    method = data.draw(
        st.sampled_from(["GET", "GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "\x7f"])
    )
    path = data.draw(paths(place, data.draw(st.sampled_from(routes))))
    headers, body = data.draw(odd_headers()), b""
    if method == "POST":
        fields = st.lists(st.tuples(st.sampled_from(names) | ODD, ODD), max_size=6)
        kind, body = data.draw(odd_bodies(data.draw(fields)))
        headers = {"content-type": kind, **headers}
    with undone():
        send(Ask(method, path, data.draw(queries(names)), headers, body), sessions[person])


@pytest.mark.parametrize("routes", [PAGES, ADMIN], ids=["pages", "admin"])
@given(data=st.data(), person=st.sampled_from(PERSONS))
def test_no_field_of_a_form_makes_the_site_fail(
    data: st.DataObject, routes: list[str], person: str, place: SimpleNamespace, sessions: dict[str, str]
) -> None:
    cache.clear()
    address = address_in(place, data.draw(st.sampled_from(routes)))
    with undone():
        page = send(Ask("GET", address), sessions[person])
        forms = forms_in(page.body, address) if page.is_page else []
        if not forms:
            return
        form = data.draw(st.sampled_from(forms))
        fields = []
        is_odd = st.integers(0, max(1, len(form.fields) // 4)).map(lambda number: number == 0)
        for name, value in form.fields:
            fields.append((name, data.draw(ODD) if data.draw(is_odd) else value))
        if form.method == "GET":
            send(Ask("GET", form.action, fields), sessions[person])
            return
        kind, body = data.draw(odd_bodies(fields))
        htmx = {"hx-request": "true"} if data.draw(st.booleans()) else {}
        send(Ask("POST", form.action, (), {"content-type": kind, **htmx}, body), sessions[person])


@pytest.mark.parametrize("person", PERSONS)
def test_numbers_beyond_a_column_name_no_row(person: str, place: SimpleNamespace, sessions: dict[str, str]) -> None:
    for route in PAGES + ADMIN:
        for number in (2**31, 2**63, 2**64, 10**40):
            where = re.sub(r"<int:\w+>|<path:object_id>", str(number), route)
            where = address_in(place, where) if "<" in where else "/" + where
            for method in ("GET", "POST"):
                with undone():
                    send(Ask(method, where), sessions[person])


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("day", ["0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31"])
def test_the_edges_of_time_are_dates_like_others(
    zone: str, day: str, place: SimpleNamespace, sessions: dict[str, str], settings: Any
) -> None:
    settings.TIME_ZONE = zone
    conversation = f"/conversations/{place.conversation.pk}/"
    for offset in ("+00:00", "+23:59", "-23:59"):
        for time in ("00:00:00", "23:59:59.999999"):
            cursor = f"{day}T{time}{offset}/1"
            assert send(Ask("GET", "/conversations/", [("after", cursor)]), sessions["a member"]).status == 200
    for path in (conversation, conversation + "messages/"):
        assert send(Ask("GET", path, [("date", day)]), sessions["a member"]).status == 200
    for path in ("/account/usage/", "/account/usage/calls.csv"):
        for on in (day, day[:7]):
            assert send(Ask("GET", path, [("on", on)]), sessions["a member"]).status == 200
    form = {"name": "Far", "expires": "on", "last_day": day, "scope": "all"}
    kind = {"content-type": "application/x-www-form-urlencoded"}
    with undone():
        answer = send(Ask("POST", "/account/keys/", (), kind, urlencode(form).encode()), sessions["a member"])
    assert answer.status in (200, 201, 302, 422)


def test_text_that_no_database_stores_is_refused(sessions: dict[str, str]) -> None:
    for address, status in (("/settings/providers/1/", 400), ("/a\0b/", 400)):
        assert send(Ask("GET", address, [("q", "a\0")]), sessions["an administrator"]).status == status
    for charset in ("undefined", "base64", "unicode_escape", "utf-16", "latin-1"):
        kind = {"content-type": f"multipart/form-data; boundary=b; charset={charset}"}
        body = b'--b\r\ncontent-disposition: form-data; name="text"\r\n\r\n\\ud800\r\n--b--\r\n'
        assert send(Ask("POST", "/unsent/", (), kind, body), sessions["a member"]).status == 415


LOOKUPS = ("", "__gte", "__lt", "__exact", "__in", "__range", "__date", "__year", "__isnull", "__contains", "__regex")
FAR = ["0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59-12:00", "-9999", "1e400", str(2**64), "(" * 200]
MANY_WORDS = " ".join(f"word{number}" for number in range(3000))


# As in the product, an error of the database must not spoil a transaction around the page.
@pytest.mark.django_db(transaction=True)
@pytest.mark.rare
@pytest.mark.parametrize("model", list(admin.site._registry), ids=str)
def test_no_filter_or_search_of_the_admin_makes_it_fail(
    model: Any, place: SimpleNamespace, sessions: dict[str, str]
) -> None:
    model_admin, root = admin.site._registry[model], sessions["an administrator"]
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for query in ([], [("q", "ada")], [("o", "1")], [("e", "1")]):
        assert send(Ask("GET", address, query), root).status == 200, query
    filters = [name for name in model_admin.get_list_filter(None) if isinstance(name, str)]
    asked = [(name + lookup, value) for name in (*filters, "id") for lookup in LOOKUPS for value in FAR]
    asked += [("q", MANY_WORDS), ("q", "a" * 60_000), ("q", '"' * 3000)]
    asked += [(name, value) for name in ("o", "p", "e", "all", "_facets", "_popup", "_to_field") for value in FAR]
    if model_admin.date_hierarchy:
        asked += [
            (f"{model_admin.date_hierarchy}__{part}", value) for part in ("year", "month", "day") for value in FAR
        ]
    for pair in asked:
        answer = send(Ask("GET", address, [pair]), root)
        # 302 leads to the whole list, 400 is Django's answer to lookups that the admin does not allow.
        assert answer.status in (200, 302, 400, 403), (pair, answer.status)


@pytest.mark.rare
def test_no_value_in_the_address_of_another_admin_page_makes_it_fail(
    place: SimpleNamespace, sessions: dict[str, str]
) -> None:
    for route in ADMIN:
        for name in ("p", "_popup", "_to_field", "_changelist_filters", "groups", "person", "last_login", "username"):
            for value in FAR:
                send(Ask("GET", address_in(place, route), [(name, value)]), sessions["an administrator"])
    for field in (("conversations", "message", "author"), ("accounts", "user", "groups")):
        source = dict(zip(("app_label", "model_name", "field_name"), field, strict=True))
        for term in ("ada", MANY_WORDS, "\\" * 60_000, *FAR):
            pairs = [*source.items(), ("term", term)]
            answer = send(Ask("GET", "/admin/autocomplete/", pairs), sessions["an administrator"])
            assert answer.status in (200, 403), (field, term[:20], answer.status)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "pair",
    [
        # PostgreSQL knows years before 1.
        pytest.param(("last_login__gte", "0001-01-01 00:00:00+14:00"), marks=pytest.mark.sqlite),
        ("last_login__year", "10000"),
    ],
)
def test_a_value_that_cannot_be_looked_up_leads_to_the_whole_list(
    pair: tuple[str, str], sessions: dict[str, str]
) -> None:
    answer = send(Ask("GET", "/admin/accounts/user/", [pair]), sessions["an administrator"])
    assert (answer.status, answer.headers["location"]) == (302, "/admin/accounts/user/?e=1")


def test_a_fault_of_the_admin_itself_is_not_taken_for_a_wrong_filter(
    sessions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise ValueError("a bug")

    monkeypatch.setattr(User, "__str__", fail)
    with pytest.raises(ValueError, match="a bug"):
        send(Ask("GET", "/admin/accounts/user/", [("q", "root")]), sessions["an administrator"])
