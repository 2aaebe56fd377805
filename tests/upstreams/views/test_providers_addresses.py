"""Base URLs: which are refused, which cause a warning, and which name the same server."""

import pytest

from upstreams import addresses


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "http://localhost:11434/v1",
        "http://ollama:11434/v1",
        "http://[::1]:8080/v1",
        "http://10.0.0.7/gateway/openai/v1",
    ],
)
def test_addresses_in_any_network_are_accepted(url):
    assert addresses.find_fault(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "models.example",
        "ftp://models.example",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://models.example:port",
        "http://models.example:99999",
        "http://ada:secret@models.example",
        "http://ada@models.example",
        "http://models.example/v1?key=1",
        "http://models.example/v1#there",
        "http://models example/v1",
        "http://models.example/\nv1",
        "http://[::1/v1",
    ],
)
def test_unusable_addresses_are_refused_with_a_reason(url):
    assert addresses.find_fault(url).endswith(".")


def test_a_refusal_does_not_repeat_the_password():
    assert "secret" not in addresses.find_fault("http://ada:secret@models.example")


def test_trailing_slashes_are_removed():
    assert addresses.normalize(" https://api.example.com/v1// ") == "https://api.example.com/v1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/v1", "https://a.example:443/other", True),
        ("https://a.example", "HTTPS://A.example/", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "https://b.example", False),
        ("https://a.example", "https://a.example.evil.example", False),
        ("https://a.example", "https://a.example@evil.example", False),
        ("", "", False),
    ],
)
def test_scheme_host_and_port_identify_a_server(one, other, same):
    assert addresses.have_same_origin(one, other) is same


@pytest.mark.parametrize(
    ("protocol", "url", "is_doubted"),
    [
        ("anthropic", "https://api.anthropic.com", False),
        ("anthropic", "https://api.anthropic.com/v1", True),
        ("openai", "https://api.openai.com/v1", False),
        ("openai", "https://api.openai.com", True),
        ("openai", "https://generative.example/v1beta/openai", False),
        ("openai", "https://models.example/vault", True),
    ],
)
def test_a_probably_wrong_path_causes_a_warning(protocol, url, is_doubted):
    assert bool(addresses.find_doubt(protocol, url)) is is_doubted
