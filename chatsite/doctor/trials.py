"""What is only tried when somebody asks for it, because others notice: connections to model servers, a message."""

import asyncio
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage

from chatsite.doctor.checks.upstreams import check_clock
from chatsite.doctor.examination import Report
from chatsite.doctor.findings import Diagnosis, Level, broken, look_at, ok, split
from chatsite.failures.failure_log import SHORTAGES
from chatsite.mail.sending import MailFault, is_printed, send
from chatsite.process.threads import database_sync_to_async
from upstreams.client import close_transport, test_connection
from upstreams.models import Provider, ProviderSource
from upstreams.sealing import SealBroken

LIMIT: Final = 15.0
"""Seconds for a connection to a model server."""
TEXT: Final = "This is the test message that you asked for. Mail works."


async def try_model_servers() -> Report:
    """Lists the models of all enabled providers but the demo, at the same time."""
    try:
        providers = await database_sync_to_async(list_providers)()
    except SHORTAGES:
        # The examination of the database says so.
        return Report("Connections", [])
    try:
        findings = await asyncio.gather(*map(try_model_server, providers))
        return Report("Connections", [*findings, *check_clock()])
    finally:
        await close_transport()


def list_providers() -> list[Provider]:
    return list(Provider.objects.filter(is_enabled=True).exclude(source=ProviderSource.DEMO).order_by("name"))


async def try_model_server(provider: Provider) -> Diagnosis:
    try:
        report = await asyncio.wait_for(test_connection(provider.build_endpoint()), LIMIT)
    except TimeoutError:
        return broken(f"{provider} did not answer within {LIMIT:g} seconds.", "Check its address and the network.")
    except SealBroken as fault:
        return broken(*split(f"{provider}: {fault}"))
    if report.ok:
        return ok(report.message)
    return broken(report.message, "Check the address and the key on the page of the provider.")


async def try_mail(recipient: str) -> Report:
    try:
        await send(EmailMessage("Test message from chatsite", TEXT, settings.DEFAULT_FROM_EMAIL, [recipient]))
    except MailFault as fault:
        return Report("Test message", [broken(*split(str(fault)))])
    if is_printed():
        finding = look_at("The message was printed and not sent.", "Set EMAIL_URL to a mail server.")
    else:
        finding = Diagnosis(
            Level.OK,
            f"The mail server accepted the message to {recipient}.",
            "If it does not arrive, look among the spam and in the log of the mail server.",
        )
    return Report("Test message", [finding])
