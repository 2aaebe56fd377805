"""Throttling of password guesses, from one address, from many and from faked ones."""

import threading
import unicodedata
from datetime import timedelta

import pytest
from django.core.signing import get_cookie_signer
from django.db import IntegrityError, connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts.adapter import AccountAdapter
from accounts.models import FailedSignIn, KnownNetwork, User
from accounts.throttling import BROWSER_COOKIE, KNOWN_FOR, KNOWN_NETWORKS, PER_ACCOUNT, PER_NETWORK
from tests.accounts.pages import PASSWORD, alert
from tests.accounts.visits import LOGIN, is_signed_in, sign_in


def guess(client, username="ada", **more):
    return sign_in(client, username=username, password="wrong", **more)


def at(address):
    return {"REMOTE_ADDR": address}


def let_pass(**time):
    """Makes all failures older by this much."""
    FailedSignIn.objects.update(failed_at=F("failed_at") - timedelta(**time))


def test_five_wrong_guesses_lock_an_account_for_a_while_and_say_what_to_do(client, ada):
    assert [guess(client).status_code for _ in range(5)] == [422] * 5
    answer = guess(client)
    assert answer.status_code == 429
    assert "Try again in 5 minutes" in alert(answer)
    assert 290 <= int(answer["Retry-After"]) <= 300
    assert sign_in(client).status_code == 429, "the right password must not be told from wrong ones now"
    assert not is_signed_in(client)


def test_the_wait_ends_as_announced_whatever_was_tried_meanwhile(client, ada):
    for _ in range(5):
        guess(client)
    for _ in range(10):
        guess(client)
    let_pass(minutes=4, seconds=30)
    answer = guess(client)
    assert answer.status_code == 429 and "seconds" in alert(answer)
    let_pass(seconds=31)
    assert sign_in(client).status_code == 302


def test_a_new_password_from_an_administrator_ends_the_wait(client, ada, browser_of, root):
    for _ in range(5):
        guess(client)
    new = {"password1": "harbour light at six", "password2": "harbour light at six", "usable_password": "true"}
    browser_of(root).post(f"/admin/accounts/user/{ada.pk}/password/", new)
    assert sign_in(client, password="harbour light at six").status_code == 302


@pytest.mark.parametrize("spelling", ["Ada", " ada", "ADA ", "\uff41\uff44\uff41", "A\uff24a"])
def test_another_spelling_does_not_help(client, ada, spelling):
    for _ in range(5):
        guess(client)
    assert guess(client, username=spelling).status_code == 429


@pytest.mark.parametrize("stored", ["zo\u00eb", "\u01c4ana", "stra\u00dfe", "\u0130pek"])
def test_every_spelling_that_signs_in_counts_as_the_same_account(client, stored, db):
    User.objects.create_user(stored, password=PASSWORD)
    [name] = User.objects.values_list("username", flat=True)
    spellings = {name, name.upper(), name.lower(), unicodedata.normalize("NFD", name), f" {name} "}
    working = []
    for number, spelling in enumerate(sorted(spellings)):
        if sign_in(Client(), username=spelling, **at(f"192.0.2.{number}")).status_code == 302:
            working.append(spelling)
    assert unicodedata.normalize("NFD", name) in working
    for _ in range(5):
        guess(client, username=name)
    assert {guess(client, username=spelling).status_code for spelling in working} == {429}


@pytest.mark.parametrize(("victims", "own"), [("\u00c4da", "\u00e4da"), ("\u0421aша", "\u0441aша")])
def test_an_account_whose_name_differs_by_case_does_not_help(client, db, victims, own):
    User.objects.create_user(victims, password="harbour light at six")
    if connection.vendor != "sqlite":
        with pytest.raises(IntegrityError):
            User.objects.create_user(own, password=PASSWORD)
        return
    User.objects.create_user(own, password=PASSWORD)
    statuses = []
    for _ in range(3):
        # The browser becomes a known one, and the failures of the own account are forgotten.
        assert sign_in(client, username=own).status_code == 302
        client.post("/accounts/logout/")
        statuses += [guess(client, username=victims).status_code for _ in range(4)]
    assert statuses == [422] * 5 + [429] * 7


def test_another_port_in_the_host_header_does_not_help(client, ada):
    for number in range(5):
        guess(client, HTTP_HOST=f"localhost:{number + 1}")
    assert guess(client, HTTP_HOST="127.0.0.1:77").status_code == 429


def test_failures_from_other_networks_do_not_lock_the_account(client, ada):
    for _ in range(20):
        guess(Client(), **at("198.51.100.1"))
    assert sign_in(client, **at("192.0.2.7")).status_code == 302


def test_an_attack_from_many_networks_does_not_shut_out_a_person_where_she_signed_in_before(client, ada):
    sign_in(Client(), **at("192.0.2.7"))
    sign_in(client, **at("192.0.2.8"))
    client.post("/accounts/logout/")
    for number in range(PER_ACCOUNT.failures):
        assert guess(Client(), **at(f"198.51.100.{number}")).status_code == 422
    assert guess(Client(), **at("203.0.113.1")).status_code == 429
    assert sign_in(Client(), **at("203.0.113.1")).status_code == 429, "nobody signed in from there before"
    assert sign_in(Client(), **at("192.0.2.7")).status_code == 302, "from a known network"
    assert sign_in(client, **at("203.0.113.2")).status_code == 302, "in a known browser"


def test_a_known_browser_is_known_for_its_own_account_only(client, ada, ben):
    sign_in(client)
    client.post("/accounts/logout/")
    for _ in range(5):
        guess(client, username="ben", **at("192.0.2.9"))
    assert guess(client, username="ben", **at("192.0.2.9")).status_code == 429


def test_a_known_browser_has_its_own_limit(client, ada):
    sign_in(client)
    client.post("/accounts/logout/")
    assert [guess(client).status_code for _ in range(6)] == [422] * 5 + [429]
    assert guess(client, **at("192.0.2.10")).status_code == 429


def test_a_forged_cookie_is_worth_nothing(client, ada):
    for _ in range(5):
        guess(client)
    for value in ("x", "x:1:y", get_cookie_signer(salt="x").sign("x")):
        client.cookies[BROWSER_COOKIE] = value
        assert guess(client).status_code == 429


def test_a_colleague_who_guesses_in_the_same_office_shuts_nobody_out(client, ada, ben):
    sign_in(Client())
    for _ in range(20):
        guess(client)
    for number in range(20):
        guess(client, username=f"person{number}")
    assert sign_in(Client(), username="ben").status_code == 302, "a colleague who is here for the first time"
    assert sign_in(Client()).status_code == 302, "the person whose name was tried, in a new browser"


def test_one_network_that_tries_many_accounts_is_stopped_but_not_those_known_there(client, ada):
    sign_in(Client())
    statuses = {guess(client, username=f"person{number}").status_code for number in range(PER_NETWORK.failures)}
    assert statuses == {422}
    assert guess(client, username="somebody").status_code == 429
    assert sign_in(Client()).status_code == 302


def test_many_guesses_at_once_get_no_more_tries(transactional_db, ada):
    start, statuses = threading.Barrier(12), []

    def try_once() -> None:
        start.wait()
        statuses.append(guess(Client()).status_code)
        connection.close()

    guessers = [threading.Thread(target=try_once) for _ in range(12)]
    for guesser in guessers:
        guesser.start()
    for guesser in guessers:
        guesser.join()
    assert statuses.count(422) <= 5 and set(statuses) <= {422, 429}


def test_unknown_usernames_count_like_known_ones(client, ada):
    def visit(username):
        with CaptureQueriesContext(connection) as queries:
            answer = guess(client, username=username)
        return answer.status_code, alert(answer), len(queries)

    known = [visit("ada") for _ in range(6)]
    assert [visit("nobody") for _ in range(6)] == known
    assert known[-1][0] == 429


def test_x_forwarded_for_does_not_count_as_another_address(client, ada):
    for number in range(5):
        guess(client, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert guess(client, HTTP_X_FORWARDED_FOR="203.0.113.99").status_code == 429


def test_behind_a_proxy_only_what_the_proxy_added_counts(client, ada, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(5):
        guess(client, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, 198.51.100.7")
    spoofed = guess(client, HTTP_X_FORWARDED_FOR="203.0.113.99, 198.51.100.7")
    with_port = guess(client, HTTP_X_FORWARDED_FOR="203.0.113.99, 198.51.100.7:4711")
    neighbour = guess(client, HTTP_X_FORWARDED_FOR="198.51.100.8")
    assert (spoofed.status_code, with_port.status_code, neighbour.status_code) == (429, 429, 422)


@pytest.mark.parametrize("forwarded", ["unknown", "", ",", "_hidden", "1.2.3.4, unknown", "[", "a" * 5000, "é"])
def test_a_proxy_that_does_not_know_the_client_counts_itself(client, ada, settings, forwarded):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for _ in range(5):
        assert guess(client, HTTP_X_FORWARDED_FOR=forwarded).status_code == 422
    assert guess(client, HTTP_X_FORWARDED_FOR="unknown").status_code == 429


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1:2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_an_ipv6_network_counts_as_one_place(client, ada, one, other, is_same):
    for _ in range(5):
        guess(client, **at(one))
    assert guess(client, **at(other)).status_code == (429 if is_same else 422)


def test_known_networks_are_few_unreadable_and_forgotten(ada):
    for number in range(KNOWN_NETWORKS + 3):
        sign_in(Client(), **at(f"192.0.2.{number}"))
    assert ada.known_networks.count() == KNOWN_NETWORKS
    assert "192.0.2" not in str(list(KnownNetwork.objects.values()))
    KnownNetwork.objects.update(used_at=now() - KNOWN_FOR - timedelta(days=1))
    for _ in range(5):
        guess(Client(), **at("192.0.2.12"))
    assert guess(Client(), **at("192.0.2.12")).status_code == 429
    sign_in(Client(), **at("198.51.100.1"))
    assert ada.known_networks.count() == 1


def test_failures_are_kept_no_longer_than_they_count(client, ada):
    for number in range(5):
        guess(client, username=f"person{number}")
    let_pass(minutes=61)
    guess(client)
    assert FailedSignIn.objects.count() == 1


def test_a_refused_attempt_writes_nothing(client, ada):
    for _ in range(5):
        guess(client)
    with CaptureQueriesContext(connection) as queries:
        assert guess(client).status_code == 429
    assert not [query["sql"] for query in queries if not query["sql"].startswith(("SELECT", "PRAGMA"))]


def test_guesses_in_the_form_to_change_a_password_count_too(client, browser_of, ada):
    browser = browser_of(ada)
    form = {"oldpassword": "wrong", "password1": "harbour light at six", "password2": "harbour light at six"}
    assert [browser.post("/accounts/password/", form).status_code for _ in range(6)] == [422] * 5 + [429]
    answer = browser.post("/accounts/password/", form | {"oldpassword": PASSWORD})
    assert answer.status_code == 429 and "Try again in 5 minutes" in answer.text
    assert guess(client).status_code == 429


def test_a_successful_sign_in_does_not_count_as_a_failure(client, ada):
    for _ in range(8):
        assert sign_in(client).status_code == 302
        client.logout()


def test_the_sign_in_page_itself_is_never_refused(client, ada):
    for _ in range(12):
        guess(client)
    assert client.get(LOGIN).status_code == 200


def test_sign_up_is_closed(rf):
    assert not AccountAdapter().is_open_for_signup(rf.get("/"))
