"""Creates the first administrator, by a link from the server's console or from the environment."""

from secrets import token_urlsafe

from django.conf import settings
from django.core import signing
from django.db import connection, transaction
from django.urls import reverse

from accounts.models import User

LINK_LIFETIME = 24 * 60 * 60

_signer = signing.TimestampSigner(salt="accounts.set_up")


class NoPassword(Exception):
    """The environment names an administrator without a password."""


def is_needed() -> bool:
    return not User.objects.exists()


def make_link(site: str) -> str:
    """Returns a link that, for a day, lets anybody who has it create the first administrator."""
    return site.rstrip("/") + reverse("account_set_up", args=[_signer.sign(token_urlsafe())])


def is_valid_token(token: str) -> bool:
    """Whether the token comes from a link of the last day and the first administrator is still missing."""
    try:
        _signer.unsign(token, max_age=LINK_LIFETIME)
    except signing.BadSignature:
        return False
    return is_needed()


@transaction.atomic
def save_first_administrator(person: User) -> bool:
    """Saves the person as administrator and returns True, or returns False if there are people already."""
    _lock_people()
    if not is_needed():
        return False
    person.is_staff = person.is_superuser = True
    person.save()
    return True


def create_administrator_from_environment() -> User | None:
    """Creates the administrator named by DJANGO_SUPERUSER_USERNAME. Returns None if it exists or none is named."""
    username = settings.SUPERUSER_USERNAME
    if not username or User.objects.filter(username__iexact=username).exists():
        return None
    if not settings.SUPERUSER_PASSWORD:
        raise NoPassword("DJANGO_SUPERUSER_USERNAME is set without DJANGO_SUPERUSER_PASSWORD: no account was created.")
    return User.objects.create_superuser(username, settings.SUPERUSER_EMAIL, settings.SUPERUSER_PASSWORD)


def _lock_people() -> None:
    # On SQLite, a transaction locks the database with its first statement. PostgreSQL needs an explicit lock.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(User._meta.db_table)
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
