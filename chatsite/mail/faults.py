"""Explains why a message was not sent, and what an administrator can do. Never repeats the password."""

import base64
import smtplib
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from chatsite.mail.mailers import LONGEST_TIMEOUT

LONGEST_QUOTE: Final = 300
"""Characters of a mail server's words that are shown."""


def describe_fault(error: Exception, options: Mapping[str, Any]) -> str:
    """`options` are those of Django's backend."""
    match error:
        case smtplib.SMTPServerDisconnected() | ConnectionResetError():
            return (
                f"The mail server {options.get('host')} closed the connection at port {options.get('port')}. If the "
                "port expects TLS from the start, as port 465 does, begin EMAIL_URL with smtps://."
            )
        case smtplib.SMTPException():
            return describe_refusal(error, f"The mail server {options.get('host')}", quote(error, options))
        case OSError():
            return describe_connection_fault(error, options, quote(error, options))
        case ValueError():
            return "The sender or the recipient is not a valid address. Check the address, and EMAIL_FROM."
    return f"Sending failed ({type(error).__name__}). This is a fault of chatsite."


def describe_refusal(error: smtplib.SMTPException, server: str, words: str) -> str:
    match error:
        case smtplib.SMTPNotSupportedError():
            return (
                f"{server} does not offer what EMAIL_URL asks for{words}. For STARTTLS, begin EMAIL_URL with "
                "smtp+tls://; for a server without encryption, with smtp://; and leave out the user name and the "
                "password if it takes none."
            )
        case smtplib.SMTPAuthenticationError():
            return f"{server} refused the user name or the password{words}. Check them in EMAIL_URL."
        case smtplib.SMTPSenderRefused():
            return f"{server} refused the sender{words}. Set EMAIL_FROM to an address that it accepts."
        case smtplib.SMTPRecipientsRefused():
            return f"{server} refused the recipient{words}. Check the address."
    return f"{server} refused the message{words}."


def describe_connection_fault(error: OSError, options: Mapping[str, Any], words: str) -> str:
    host, port = options.get("host"), options.get("port")
    match error:
        case TimeoutError():
            limit = options.get("timeout", LONGEST_TIMEOUT)
            return (
                f"The mail server {host} did not answer at port {port} within {limit:g}\N{NO-BREAK SPACE}s. Check the "
                "host and the port in EMAIL_URL, and that no firewall blocks the connection. If the port expects TLS "
                "from the start, as port 465 does, begin EMAIL_URL with smtps://. If the server is slow, raise "
                "EMAIL_TIMEOUT."
            )
        case socket.gaierror():
            return (
                f"The mail server {host} was not found. Check the host in EMAIL_URL, and that this machine can "
                "resolve it."
            )
        case ssl.SSLCertVerificationError():
            return (
                f"The mail server {host} has a certificate that this machine does not trust{words}. Use the name in "
                "the certificate, or add the authority that issued it to those that this machine trusts."
            )
        case ssl.SSLError():
            return (
                f"The mail server {host} does not speak TLS at port {port}{words}. For STARTTLS, which most servers "
                "speak at port 587, begin EMAIL_URL with smtp+tls://."
            )
    return (
        f"Could not connect to the mail server {host} at port {port}{words}. Check both in EMAIL_URL, that the server "
        "is running, and that no firewall blocks the connection."
    )


def quote(error: OSError, options: Mapping[str, Any]) -> str:
    """Returns the server's words in brackets, or "" if there are none or they repeat the password."""
    words = normalise(read_words(error))
    if any(normalise(secret) in words for secret in list_secrets(options)):
        return ""
    words = words.rstrip(".")[:LONGEST_QUOTE]
    return f" (“{words}”)" if words else ""


def normalise(text: str) -> str:
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def read_words(error: OSError) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            return join_reply(*next(iter(refused.values())))
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=words):
            return join_reply(code, words)
        case ssl.SSLError():
            return getattr(error, "verify_message", "") or error.reason or ""
    return error.strerror or str(error)


def join_reply(code: int, words: bytes | str) -> str:
    return f"{code} {words.decode(errors='replace') if isinstance(words, bytes) else words}"


def list_secrets(options: Mapping[str, Any]) -> list[str]:
    """The password, in the forms in which SMTP sends it."""
    username, password = options.get("username") or "", options.get("password") or ""
    if not password:
        return []
    return [password, *(base64.b64encode(text.encode()).decode() for text in (password, f"\0{username}\0{password}"))]
