"""Signs in, and checks whether a browser is signed in."""

from django.test import Client

from tests.accounts.pages import PASSWORD

LOGIN = "/accounts/login/"


def sign_in(client: Client, username="ada", password=PASSWORD, **more):
    return client.post(more.pop("path", LOGIN), {"login": username, "password": password}, **more)


def is_signed_in(client: Client) -> bool:
    return client.get("/accounts/").status_code == 200
