"""Programs list the models that they may use, with their names."""

import asyncio
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest

from accounts.keys import ApiKey
from gateway.models import restrict_key
from tests.fakes import ModelServer
from tests.gateway.serving.asking import ChatProgram, MessagesProgram, tell
from tests.gateway.serving.programs import Programs
from upstreams.models import ChatModel, Provider


@pytest.fixture
def workshop(programs: Programs, chat: ModelServer) -> Iterator[Provider]:
    """A second server with a model of the same id, and one whose id contains slashes."""
    provider = Provider.objects.create(name="The workshop", protocol="openai", base_url=chat.url)
    ChatModel.objects.create(provider=provider, model_id="test-openai", context_window=8000)
    ChatModel.objects.create(provider=provider, model_id="org/large:v2", name="Large", max_output_tokens=2000)
    yield provider
    provider.delete()


def names(programs: Programs) -> set[str]:
    by_messages = {model.id for model in programs.anthropic().models.list()}
    by_chat = {model.id for model in programs.openai().models.list()}
    assert by_messages == by_chat
    return by_messages


def test_models_are_listed_by_their_names_for_programs(programs: Programs, workshop: Provider) -> None:
    assert names(programs) == {"test-anthropic", "test-openai", "The workshop/test-openai", "org/large:v2"}


def test_one_model_is_found_by_its_name(programs: Programs, workshop: Provider) -> None:
    found = programs.anthropic().models.retrieve("org/large:v2")
    assert (found.id, found.display_name, found.type, found.max_tokens) == ("org/large:v2", "Large", "model", 2000)
    assert programs.openai().models.retrieve("org/large:v2").owned_by == "The workshop"
    # An older SDK leaves the slash as it is.
    headers = {"authorization": f"Bearer {programs.secret}"}
    assert httpx.get(f"{programs.url}/v1/models/org/large:v2", headers=headers).json()["id"] == "org/large:v2"
    with pytest.raises(openai.NotFoundError):
        programs.openai().models.retrieve("gone")
    with pytest.raises(anthropic.NotFoundError):
        programs.anthropic().models.retrieve("gone")


@pytest.mark.parametrize("name", ["The workshop/test-openai", "the Workshop/org/large:v2", "org/large:v2"])
def test_a_model_is_found_by_each_of_its_names(
    programs: Programs, chat: ModelServer, workshop: Provider, name: str
) -> None:
    tell(chat)
    heard = ChatProgram(programs).ask(name)
    assert (heard.text, heard.model) == ("Hello", name)
    assert name.endswith(chat.requests[-1].json["model"]) and programs.settled().provider_name == "The workshop"


def test_a_name_keeps_meaning_the_oldest_model(programs: Programs, chat: ModelServer, workshop: Provider) -> None:
    tell(chat)
    ChatProgram(programs).ask("test-openai")
    assert programs.settled().provider_name == "Testing openai"


def test_a_key_lists_only_its_own_models(programs: Programs, workshop: Provider, messages: ModelServer) -> None:
    key = ApiKey(person=programs.ada, name="Workshop only")
    secret = key.renew_secret()
    key.save()
    restrict_key(key, workshop.chat_models.filter(model_id="test-openai"))
    client = programs.openai(api_key=secret)
    assert [model.id for model in client.models.list()] == ["test-openai"]
    with pytest.raises(openai.PermissionDeniedError):
        client.models.retrieve("test-anthropic")


def test_without_a_key_nothing_is_listed(programs: Programs) -> None:
    with pytest.raises(openai.AuthenticationError):
        programs.openai(api_key="cs-none").models.list()
    with pytest.raises(anthropic.AuthenticationError):
        programs.anthropic(api_key="cs-none").models.list()


# Counting


def question() -> dict[str, object]:
    return {"role": "user", "content": "How is it? " * 8}


def test_the_upstream_counts(programs: Programs, messages: ModelServer) -> None:
    messages.count = 17
    counted = programs.anthropic().messages.count_tokens(model="test-anthropic", messages=[question()])
    assert counted.input_tokens == 17
    assert messages.counted[0].json == {"model": "test-anthropic", "messages": [question()]}


def test_without_a_count_it_is_an_estimate(programs: Programs, upstream: ModelServer) -> None:
    counted = programs.anthropic().messages.with_raw_response.count_tokens(
        model=f"test-{upstream.protocol}", messages=[question()]
    )
    assert counted.headers["x-token-count"] == "estimate"
    assert 15 <= counted.parse().input_tokens <= 40


def test_an_invalid_count_request_is_refused(programs: Programs, messages: ModelServer) -> None:
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        programs.anthropic().messages.count_tokens(model="test-anthropic", messages=[])
    with pytest.raises(anthropic.NotFoundError):
        programs.anthropic().messages.count_tokens(model="gone", messages=[question()])
    with pytest.raises(anthropic.AuthenticationError):
        programs.anthropic(api_key="cs-none").messages.count_tokens(model="test-anthropic", messages=[question()])


# Many at once


async def test_many_programs_at_once(programs: Programs, upstream: ModelServer) -> None:
    upstream.say("Hello")
    model = f"test-{upstream.protocol}"
    async with (
        anthropic.AsyncAnthropic(base_url=programs.url, api_key=programs.secret, max_retries=0) as first,
        openai.AsyncOpenAI(base_url=f"{programs.url}/v1", api_key=programs.secret, max_retries=0) as second,
    ):

        async def by_messages() -> str:
            async with first.messages.stream(
                model=model, max_tokens=9, messages=[MessagesProgram.question("text")]
            ) as stream:
                return "".join([text async for text in stream.text_stream])

        async def by_chat() -> str:
            stream = await second.chat.completions.create(
                model=model, messages=[ChatProgram.question("text")], stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

        heard = await asyncio.gather(*(ask() for ask in (by_messages, by_chat) * 10))
    assert heard == ["Hello"] * 20


def test_a_model_named_by_a_path_is_listed_and_found_by_its_file(
    programs: Programs, chat: ModelServer, workshop: Provider
) -> None:
    ChatModel.objects.create(provider=workshop, model_id="/srv/models/small.gguf")
    assert "small" in names(programs) and not [name for name in names(programs) if "srv" in name]
    for name in ("small", "The workshop/small", "/srv/models/small.gguf"):
        tell(chat)
        heard = ChatProgram(programs).ask(name)
        assert (heard.text, heard.model) == ("Hello", name)
        assert chat.requests[-1].json["model"] == "/srv/models/small.gguf"
