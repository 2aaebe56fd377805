"""The first administrator: made by whoever holds the link from the server's console, or by the environment."""

from secrets import token_urlsafe

from django.conf import settings
from django.core import signing
from django.db import connection, transaction
from django.urls import reverse

from accounts.models import User

LINK_LIFETIME = 24 * 60 * 60

_signer = signing.TimestampSigner(salt="accounts.set_up")


class NoPassword(Exception):
    """The environment names an administrator and gives no password."""


def is_needed() -> bool:
    return not User.objects.exists()


def new_link(site: str) -> str:
    """An address under `site` that lets whoever opens it become the first administrator, for a day."""
    return site.rstrip("/") + reverse("account_set_up", args=[_signer.sign(token_urlsafe())])


def is_open(token: str) -> bool:
    """Is this a token from a link of ours, of today, and still of any use?"""
    try:
        _signer.unsign(token, max_age=LINK_LIFETIME)
    except signing.BadSignature:
        return False
    return is_needed()


@transaction.atomic
def save_first_administrator(person: User) -> bool:
    """Saves the person as administrator if there still is nobody; of two who try at once, one succeeds."""
    _wait_for_others()
    if not is_needed():
        return False
    person.is_staff = person.is_superuser = True
    person.save()
    return True


def create_administrator_from_environment() -> User | None:
    """Returns the administrator whom DJANGO_SUPERUSER_USERNAME names if it was made just now."""
    username = settings.SUPERUSER_USERNAME
    if not username or User.objects.filter(username__iexact=username).exists():
        return None
    if not settings.SUPERUSER_PASSWORD:
        raise NoPassword("DJANGO_SUPERUSER_USERNAME is set without DJANGO_SUPERUSER_PASSWORD: no account was created.")
    return User.objects.create_superuser(username, settings.SUPERUSER_EMAIL, settings.SUPERUSER_PASSWORD)


def _wait_for_others() -> None:
    # On SQLite the transaction has the database to itself from its first statement; elsewhere this makes it so.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(User._meta.db_table)
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
