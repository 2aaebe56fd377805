"""The examples on the API key page work when pasted."""

import shlex

import httpx
import pytest

from gateway.examples import build_examples
from tests.fakes import ModelServer
from tests.gateway.serving.asking import tell
from tests.gateway.serving.programs import Programs, asks


def test_the_examples_for_sdks_are_answered(
    programs: Programs, upstream: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHATSITE_API_KEY", programs.secret)
    tell(upstream)
    for example in build_examples(programs.url, asks(upstream.protocol), programs.key):
        if example.language == "python":
            exec(compile(example.source, example.slug, "exec"), {})
            assert capsys.readouterr().out == "Hello\n", example.title


def test_the_example_for_curl_is_answered(programs: Programs, upstream: ModelServer) -> None:
    tell(upstream)
    [curl] = [
        each for each in build_examples(programs.url, asks(upstream.protocol), programs.key) if each.slug == "curl"
    ]
    assert programs.secret not in curl.source and "# Night job" in curl.source
    words = shlex.split(curl.source.replace("$CHATSITE_API_KEY", programs.secret), comments=True)
    said = words[words.index("curl") + 1 :]
    headers = dict(said[at + 1].split(": ", 1) for at, word in enumerate(said) if word == "-H")
    answer = httpx.post(said[0], headers=headers, content=said[said.index("-d") + 1])
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][0]["text"] == "Hello"
