"""Sends a message within EMAIL_TIMEOUT, or explains why it could not be sent."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from django.core.mail import EmailMessage, mailers

from chatsite.mail.faults import describe_fault
from chatsite.mail.mailers import LONGEST_TIMEOUT

NOT_SET_UP: Final = "Mail is not set up. Set EMAIL_URL, for example to smtp+tls://user:password@mail.example.org:587."

logger = logging.getLogger(__name__)

_threads = ThreadPoolExecutor(4, thread_name_prefix="mail")
"""Of their own: a mail server that does not answer must not keep threads from pages."""


class MailFault(Exception):
    """A message was not sent. The text says why, and what an administrator can do."""


def is_set_up() -> bool:
    return "default" in mailers


def is_printed() -> bool:
    """Whether messages are printed and not sent."""
    return is_set_up() and "host" not in mailers.settings["default"].get("OPTIONS", {})


async def send(message: EmailMessage) -> None:
    """Hands the message to the mail server. Raises MailFault, at the latest after EMAIL_TIMEOUT."""
    if not is_set_up():
        raise MailFault(NOT_SET_UP)
    options = mailers.settings["default"].get("OPTIONS", {})
    work = asyncio.get_running_loop().run_in_executor(_threads, partial(message.send, using="default"))
    try:
        # Cancels the work at the end, so that a message that no thread has taken yet is not sent later.
        await asyncio.wait_for(work, options.get("timeout", LONGEST_TIMEOUT))
    except Exception as error:
        words = describe_fault(error, options)
        logger.warning("Mail was not sent. %s", words)
        # `from None`: the error's own text could repeat the password.
        raise MailFault(words) from None
