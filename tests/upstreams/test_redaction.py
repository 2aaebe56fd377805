"""People read the words of upstreams without any address, name of a machine, port or path in them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstreams.redaction import HIDDEN, strip_addresses, strip_host

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def joined(separator, *parts):
    return st.tuples(*(part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts)).map(
        separator.join
    )


# Every part of a secret begins with zq, so that none of it may stay.
labels = st.text(LETTERS + "0123456789-", max_size=8).map(lambda text: f"zq{text}".rstrip("-"))
endings = st.sampled_from(["com", "internal", "example", "local", "lan", "corp", "svc", "de", "io", "zqunknown"])
ports = st.integers(1024, 65535).map(str)
names = st.lists(labels, min_size=1, max_size=3).flatmap(lambda each: endings.map(lambda end: ".".join([*each, end])))
idn = labels.map(lambda label: f"{label}ü.zqbücher.example")
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).flatmap(lambda ip: st.sampled_from([ip.compressed, ip.exploded, f"{ip.compressed}%eth0"]))
numbers = ipv4 | ipv6.map(lambda ip: f"[{ip}]")
hosts = names | idn | numbers | st.just("localhost")
files = joined("", labels, st.sampled_from([".gguf", ".py", ".sock", ".safetensors", ".conf", ".zqx"]))
unix_paths = joined("", st.sampled_from(["/", "~/", "/srv/", "../", "./"]), joined("/", labels, labels, files))
windows_paths = joined("\\", st.sampled_from(["C:", "\\", "d:"]), labels, files)
schemes = st.sampled_from(["http", "https", "ws", "wss", "grpc", "tcp", "unix", "redis", "HTTP", "file"])
queries = st.sampled_from(["", "?zqkey=zq", "/zq/v1?zq=a&b=zq", ":8000/zq#zq"])
urls = st.builds(lambda scheme, host, rest: f"{scheme}://{host}{rest}", schemes, hosts | labels, queries)
with_ports = joined(":", hosts | labels, ports)
secrets = st.one_of(
    *(urls, urls.map(lambda url: url.replace("/", "\\/")), with_ports, names, idn, numbers, ipv6, unix_paths),
    *(windows_paths, files, joined("@", labels, names), st.just("localhost")),
)
# Where libraries, proxies and certificates put addresses.
FRAMES = [
    "{}", "at {}", "Could not reach {}.", "{}: connection refused", "upstream '{}' timed out", 'said "{}" twice',
    "({})", "<{}>", "[{}]", "see {}, then try again", "error={};retry", "moved to {}", "\n{}\n", "Is it {}?",
    'redirected from "{}" to "{}"', "tools.0.name at {}", "claude-3.5 at {}", "a/b {}", "{}\t{}", "* {}", "`{}`",
]  # fmt: skip
ONE_WORD = [
    "dial tcp: lookup {} on 10.0.0.2:53: no such host", "getaddrinfo ENOTFOUND {}", "getaddrinfo EAI_AGAIN {}",
    "Could not resolve host: {}", "Failed to resolve '{}' ([Errno -2] Name or service not known)",
    "HTTPConnectionPool(host='{}', port=8000): Max retries exceeded", "connect ECONNREFUSED {}:8000",
    "certificate is not valid for '{}'", "hostname '{}' doesn't match 'zqother'", "subject: CN={}, O={} GmbH",
    "(('commonName', '{}'),)", "no such host: {}", 'client: 10.0.0.9, server: {}, host: "{}"', "DNS:{}, DNS:{}",
    "Cannot connect to host {}:11434 ssl:default", "issuer=O = {} Trust, OU = {}", "Unknown host {}",
]  # fmt: skip


@given(secrets, st.sampled_from(FRAMES))
def test_no_address_stays(secret, frame):
    shown = strip_addresses(frame.replace("{}", secret))
    assert HIDDEN in shown
    for part in ("zq", "localhost", "://", secret.strip("[]")):
        assert part not in shown.lower()


@given(labels, st.sampled_from(ONE_WORD))
def test_a_machine_whose_name_is_one_word_is_known_by_the_words_before_it(label, frame):
    shown = strip_addresses(frame.replace("{}", label))
    assert "zq" not in shown and "10.0.0" not in shown and "8000" not in shown


@given(st.one_of(ipv4, ipv6, names), ports)
def test_no_port_stays(host, port):
    for words in (f"('{host}', {port})", f"{host}:{port}", f"[{host}]:{port}", f"{host}, port {port}", f"port={port}"):
        assert port not in strip_addresses(words).replace(host, "")
    assert port not in strip_addresses(f"('{host}', {port}, 0, 0)")


HARMLESS = [
    "tools.0.name: too long",
    "prompt is too long: 210000 tokens > 200,000 maximum",
    "messages.0.content.1.image_url.url: Field required",
    "thinking.budget_tokens must be less than max_tokens",
    "max_tokens: 8192 > 4096, which is the limit for claude-3-5-sonnet-20241022",
    "The model meta-llama/Llama-3.1-8B-Instruct does not exist",
    "model qwen2.5:14b not found, try pulling it first",
    "Invalid value for 'temperature': expected at most 1.5, got 2",
    "image/png or text/plain, e.g. a picture",
    "Rate limit reached: Limit 30000, Used 29,000 (97.5%). Don't retry.",
    "<html>Welcome</html>",
    "[Errno 111] Connection refused",
    "You exceeded your quota; check your plan & billing!",
    "HTTP 503.",
]


@pytest.mark.parametrize("words", HARMLESS)
def test_what_explains_the_failure_stays(words):
    assert strip_addresses(words) == words


@given(st.lists(st.sampled_from(HARMLESS) | secrets, max_size=6).map(" – ".join))
def test_stripping_twice_changes_nothing_more(words):
    once = strip_addresses(words)
    assert strip_addresses(once) == once


@given(st.text())
def test_any_text_can_be_stripped(words):
    strip_addresses(words)
    strip_host(words, "http://zqhost:8000")


@pytest.mark.parametrize("piece", ["a.", "host:", "1.1.1", "::", "/a", "hostname ' ", "CN=a ", "a:b", "resolve the "])
def test_the_time_is_linear(piece):
    started = time.process_time()
    strip_addresses(piece * 20_000)
    assert time.process_time() - started < 5


def test_an_upstreams_own_host_is_known_even_if_its_name_is_one_word():
    assert strip_host("vllm refused; VLLM-2 did not", "http://vllm:8000/v1") == "… refused; VLLM-2 did not"
    assert strip_host("anything", "not an address") == "anything"
