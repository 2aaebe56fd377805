"""Mail is sent to a real server, within a time limit, and what keeps it from being sent is explained."""

import asyncio
import socket
import time
from urllib.parse import quote

import pytest
from django.core.mail import EmailMessage

from chatsite.mail.mailers import read_mailers
from chatsite.mail.sending import NOT_SET_UP, MailFault, send
from tests.mail.certificates import make_tls
from tests.mail.mail_server import MailServer

SECRET = "p%4/ss:w?rd"


@pytest.fixture
def server():
    with MailServer() as server:
        yield server


def use(settings, url: str, timeout: float = 5) -> None:
    settings.MAILERS = read_mailers(url, timeout)


def use_server(settings, server: MailServer, *, scheme="smtp", credentials="", timeout: float = 5) -> None:
    use(settings, f"{scheme}://{credentials}localhost:{server.port}", timeout)


def note(to="ada@example.org") -> EmailMessage:
    return EmailMessage("Hello", "It works.", "chat@example.org", [to])


async def refusal_of(message: EmailMessage) -> str:
    with pytest.raises(MailFault) as fault:
        await send(message)
    assert SECRET not in str(fault.value) and (fault.value.__suppress_context__ or not fault.value.__context__)
    return str(fault.value)


async def test_a_message_reaches_the_server_with_the_credentials(settings, server):
    use_server(settings, server, credentials=f"ada:{quote(SECRET, safe='')}@")
    await send(note())
    assert "It works." in server.messages[0] and server.credentials == [("ada", SECRET)]


async def test_without_a_url_the_fault_says_how_to_set_mail_up(settings):
    use(settings, "")
    assert await refusal_of(note()) == NOT_SET_UP


async def test_a_refused_connection_is_explained(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use(settings, f"smtp://127.0.0.1:{port}")
    words = await refusal_of(note())
    assert words.startswith(f"Could not connect to the mail server 127.0.0.1 at port {port}") and "EMAIL_URL" in words


async def test_an_unknown_host_is_explained(settings):
    use(settings, "smtp://no-such-host.invalid")
    assert "no-such-host.invalid was not found" in await refusal_of(note())


@pytest.mark.parametrize(
    ("verb", "reply", "words"),
    [
        ("AUTH", "535 5.7.8 no such user", "refused the user name or the password (“535 5.7.8 no such user”)."),
        ("AUTH", f"535 {SECRET} is wrong", "refused the user name or the password. Check"),
        ("AUTH", "535 cCU0L3NzOnc/cmQ= is wrong", "refused the user name or the password. Check"),
        ("MAIL", "550 not yours", "refused the sender (“550 not yours”). Set EMAIL_FROM"),
        ("RCPT", "550 unknown", "refused the recipient (“550 unknown”)."),
        ("DATA", "554 no", "refused the message (“554 no”)."),
        ("CONNECT", "421 busy", "refused the message (“421 busy”)."),
        ("EHLO", "close", "closed the connection"),
    ],
)
async def test_what_the_server_refuses_is_explained_in_its_words(settings, server, verb, reply, words):
    server.replies[verb] = reply
    use_server(settings, server, credentials=f"ada:{quote(SECRET, safe='')}@")
    assert words in await refusal_of(note())


@pytest.mark.parametrize("secret", ["zq9 secret.", "zq9  secret", "zq9secret..."])
@pytest.mark.parametrize("reply", ["535 {}", "535 {} is wrong"])
async def test_a_password_is_recognised_however_its_words_are_spaced(settings, server, secret, reply):
    server.replies["AUTH"] = reply.format(secret)
    use_server(settings, server, credentials=f"ada:{quote(secret, safe='')}@")
    assert "zq9" not in await refusal_of(note())


async def test_a_server_without_starttls_gets_no_password(settings, server):
    use_server(settings, server, scheme="smtp+tls", credentials="ada:secret@")
    assert "does not offer what EMAIL_URL asks for (“STARTTLS extension not supported" in await refusal_of(note())
    assert not server.credentials


async def test_a_server_without_sign_in_is_explained(settings, server):
    server.extensions = ["SIZE 1000000"]
    use_server(settings, server, credentials="ada:secret@")
    assert "leave out the user name and the password" in await refusal_of(note())


async def test_tls_where_there_is_none_is_explained(settings, server):
    use_server(settings, server, scheme="smtps")
    assert "does not speak TLS at port" in await refusal_of(note())


async def test_a_certificate_that_nobody_vouches_for_is_refused(settings, tmp_path):
    with MailServer(make_tls(tmp_path)) as server:
        use_server(settings, server, scheme="smtps")
        assert "a certificate that this machine does not trust (“self-signed certificate" in await refusal_of(note())


async def test_tls_works_with_a_certificate_that_this_machine_trusts(settings, tmp_path, monkeypatch):
    with MailServer(make_tls(tmp_path)) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        use_server(settings, server, scheme="smtps")
        await send(note())
    assert len(server.messages) == 1


@pytest.mark.parametrize("how", ["hold", "drip"])
async def test_a_server_that_hangs_holds_up_neither_the_sender_nor_the_loop_nor_a_thread(settings, how):
    with MailServer(**{how: True}) as server:
        use_server(settings, server, timeout=1)
        begun = time.monotonic()
        sending = asyncio.ensure_future(refusal_of(note()))
        turns = 0
        while not sending.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert "did not answer at port" in sending.result()
        assert time.monotonic() - begun < 3 and turns > 20
        # The thread has disconnected, and is free for the next message.
        assert await asyncio.to_thread(server.ended.wait, 5)


async def test_many_messages_to_a_server_that_hangs_all_end_in_time(settings):
    with MailServer(hold=True) as server:
        use_server(settings, server, timeout=1)
        begun = time.monotonic()
        await asyncio.gather(*(refusal_of(note()) for _ in range(12)))
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize("to", ["ada@example.org\nBcc: ben@example.org", "ädä@example.org", "a@b c@d"])
async def test_an_address_that_is_not_valid_is_explained(settings, server, to):
    use_server(settings, server)
    assert "not a valid address" in await refusal_of(note(to))
    assert not server.messages
