"""The name under which providers of models know a person."""

from django.conf import settings
from django.utils.crypto import salted_hmac

from accounts.models import User


def make_pseudonym(person: User | None) -> str:
    """Returns 64 hexadecimal digits, always the same for a person; "" for nobody, or if the site sends no pseudonyms.

    Without SECRET_KEY, nobody can tell whom it means. Both protocols accept 64 characters.
    """
    if person is None or not settings.SEND_PSEUDONYMS:
        return ""
    return salted_hmac("accounts.pseudonyms", str(person.pk), algorithm="sha256").hexdigest()
