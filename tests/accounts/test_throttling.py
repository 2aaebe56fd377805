"""Throttling of password guesses, from one address, from many and from faked ones."""

import pytest

from accounts.adapter import AccountAdapter
from tests.accounts.pages import alert
from tests.accounts.visits import LOGIN, is_signed_in, sign_in


def guess(client, username="ada", **more):
    return sign_in(client, username=username, password="wrong", **more)


def test_five_wrong_guesses_lock_an_account_for_a_while_and_say_what_to_do(client, ada):
    assert [guess(client).status_code for _ in range(5)] == [422] * 5
    answer = guess(client)
    assert answer.status_code == 429
    assert "Wait five minutes" in alert(answer)
    assert sign_in(client).status_code == 429, "the right password must not be told from wrong ones now"
    assert not is_signed_in(client)


def test_another_address_does_not_help_against_one_account(client, ada):
    for number in range(5):
        guess(client, REMOTE_ADDR=f"192.0.2.{number}")
    assert guess(client, REMOTE_ADDR="198.51.100.1").status_code == 429


@pytest.mark.parametrize("spelling", ["Ada", " ada", "ADA "])
def test_another_spelling_does_not_help(client, ada, spelling):
    for _ in range(5):
        guess(client)
    assert guess(client, username=spelling).status_code == 429


def test_another_port_in_the_host_header_does_not_help(client, ada):
    for number in range(5):
        guess(client, HTTP_HOST=f"localhost:{number + 1}")
    assert guess(client, HTTP_HOST="127.0.0.1:77").status_code == 429


def test_one_address_that_tries_many_accounts_is_stopped(client, ada):
    assert {guess(client, username=f"person{number}").status_code for number in range(10)} == {422}
    assert guess(client, username="somebody").status_code == 429


def test_x_forwarded_for_does_not_count_as_another_address(client, ada):
    for number in range(10):
        guess(client, username=f"person{number}", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert guess(client, username="somebody", HTTP_X_FORWARDED_FOR="203.0.113.99").status_code == 429


def test_behind_a_proxy_only_what_the_proxy_added_counts(client, ada, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(10):
        guess(client, username=f"person{number}", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, 198.51.100.7")
    spoofed = guess(client, username="somebody", HTTP_X_FORWARDED_FOR="203.0.113.99, 198.51.100.7")
    neighbour = guess(client, username="somebody", HTTP_X_FORWARDED_FOR="198.51.100.8")
    assert (spoofed.status_code, neighbour.status_code) == (429, 422)


def test_a_successful_sign_in_does_not_count_as_a_failure(client, ada):
    for _ in range(8):
        assert sign_in(client).status_code == 302
        client.logout()


def test_an_address_that_posts_too_often_gets_a_page_that_says_to_wait(client, ada, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login": "2/m/ip"}
    for _ in range(2):
        guess(client)
    answer = guess(client)
    assert answer.status_code == 429
    assert "Too many attempts" in answer.text and "from your network" in alert(answer)


def test_the_sign_in_page_itself_is_never_refused(client, ada):
    for _ in range(12):
        guess(client)
    assert client.get(LOGIN).status_code == 200


def test_sign_up_is_closed(rf):
    assert not AccountAdapter().is_open_for_signup(rf.get("/"))
