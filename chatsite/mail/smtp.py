"""Django's SMTP backend with a time limit for the whole of sending, rather than for each of its steps."""

import smtplib
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from chatsite.mail.mailers import LONGEST_TIMEOUT


class SmtpBackend(EmailBackend):
    """Raises an OSError or an SMTPException if sending fails, among them TimeoutError after `timeout` seconds."""

    live: smtplib.SMTP | None = None
    """The connection, from before it is open."""

    @property
    def connection_class(self) -> Any:
        backend = self

        class Connection(super().connection_class):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                backend.live = self
                super().__init__(*args, **options)

        return Connection

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        is_over = threading.Event()

        def give_up() -> None:
            is_over.set()
            self.disconnect()

        timer = threading.Timer(self.timeout or LONGEST_TIMEOUT, give_up)
        timer.daemon = True
        timer.start()
        try:
            return super().send_messages(email_messages)
        except (OSError, smtplib.SMTPException) as error:
            if is_over.is_set():
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()

    def disconnect(self) -> None:
        """Ends what another thread is waiting for: a server that sends a byte now and then passes each time limit."""
        if opened := getattr(self.live, "sock", None):
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
