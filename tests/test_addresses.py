"""The address that the site prints when it starts."""

import pytest

from chatsite.addresses import build_site_url


@pytest.mark.parametrize(
    ("host", "allowed", "https", "address"),
    [
        ("127.0.0.1", ["localhost"], False, "http://127.0.0.1:8000/"),
        ("0.0.0.0", ["localhost", "chat.example"], False, "http://localhost:8000/"),
        ("0.0.0.0", ["*", ".example", "chat.example"], False, "http://chat.example:8000/"),
        ("::1", ["localhost"], False, "http://[::1]:8000/"),
        ("::", ["*"], False, "http://localhost:8000/"),
        ("127.0.0.1", ["chat.example"], True, "https://chat.example/"),
        ("127.0.0.1", [".example"], True, "http://127.0.0.1:8000/"),
    ],
)
def test_the_printed_address_can_be_opened(settings, host, allowed, https, address):
    settings.HOST, settings.PORT, settings.ALLOWED_HOSTS, settings.HTTPS = host, 8000, allowed, https
    assert build_site_url() == address
