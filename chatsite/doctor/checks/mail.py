"""The settings of mail. A test message is sent only when somebody asks for it."""

from collections.abc import Iterator

from django.conf import settings

from chatsite.doctor.checks.settings import is_local
from chatsite.doctor.findings import Diagnosis, look_at, ok
from chatsite.mail.sending import is_printed, is_set_up


def check_mail() -> Iterator[Diagnosis]:
    if not is_set_up():
        yield ok("Mail is not set up. To send mail, set EMAIL_URL.")
        return
    if is_printed():
        yield look_at("Mail is printed and not sent.", "Set EMAIL_URL to a mail server.")
        return
    options = settings.MAILERS["default"]["OPTIONS"]
    yield ok(f"Mail goes through {options['host']} at port {options['port']}, as {settings.DEFAULT_FROM_EMAIL}.")
    is_encrypted = options.get("use_tls") or options.get("use_ssl")
    if options.get("password") and not is_encrypted and not is_local(options["host"]):
        yield look_at(
            "The password of EMAIL_URL crosses the network unencrypted.",
            "Begin EMAIL_URL with smtp+tls:// or smtps://.",
        )
    if settings.DEFAULT_FROM_EMAIL.rstrip(">").endswith("@localhost"):
        yield look_at(
            f"Mail is sent as {settings.DEFAULT_FROM_EMAIL}, which mail servers refuse.",
            "Set EMAIL_FROM to an address of your domain.",
        )
