"""Programs cannot use a model that is switched off, under any of its names, and learn that it is."""

from collections.abc import Callable, Iterator

import anthropic
import openai
import pytest

from accounts.keys import ApiKey
from gateway.models import restrict_key
from tests.fakes import ModelServer
from tests.gateway.serving.asking import PROGRAMS, MessagesProgram
from tests.gateway.serving.programs import Programs
from tests.gateway.serving.test_refusals import UNKNOWN, Program, refused
from upstreams.models import ChatModel, Provider

SENTENCE = "is switched off on this site. GET /v1/models lists the models that this key can use."
each_name = pytest.mark.parametrize("name", ["test-anthropic", "Testing anthropic/test-anthropic"])


@pytest.fixture(params=["model", "provider"])
def switched_off(request: pytest.FixtureRequest, programs: Programs) -> Iterator[ChatModel]:
    """The model behind the Messages API, off itself or with its provider."""
    model = ChatModel.objects.get(model_id="test-anthropic")
    rows = ChatModel.objects.filter(pk=model.pk)
    switch: Callable[..., int] = rows.update
    if request.param == "provider":
        switch = Provider.objects.filter(pk=model.provider_id).update
    switch(is_enabled=False)
    yield model
    switch(is_enabled=True)


def key_for(programs: Programs, *models: ChatModel) -> str:
    """The secret of a key that is only for these models."""
    key = ApiKey(person=programs.ada, name="Some models")
    secret = key.renew_secret()
    key.save()
    restrict_key(key, models)
    return secret


@each_name
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_it_is_refused_in_words(
    programs: Programs,
    messages: ModelServer,
    switched_off: ChatModel,
    program: Program,
    is_streamed: bool,
    name: str,
) -> None:
    error = refused(UNKNOWN, program, programs, name, ask={"is_streamed": is_streamed})
    assert f"model: '{name}' {SENTENCE}" in error.message
    assert not messages.requests


@each_name
def test_its_tokens_are_not_counted_and_it_is_not_described(
    programs: Programs, messages: ModelServer, switched_off: ChatModel, name: str
) -> None:
    client = programs.anthropic()
    with pytest.raises(anthropic.NotFoundError, match="switched off"):
        client.messages.count_tokens(model=name, messages=[{"role": "user", "content": "How?"}])
    with pytest.raises(anthropic.NotFoundError, match="switched off"):
        client.models.retrieve(name)
    with pytest.raises(openai.NotFoundError, match="switched off"):
        programs.openai().models.retrieve(name)
    assert {model.id for model in client.models.list()} == {"test-openai"}
    assert not messages.requests and not messages.counted


@each_name
def test_only_a_key_that_is_for_it_learns_that_it_is_off(
    programs: Programs, messages: ModelServer, switched_off: ChatModel, name: str
) -> None:
    own, other = key_for(programs, switched_off), key_for(programs, ChatModel.objects.get(model_id="test-openai"))
    assert "switched off" in refused(UNKNOWN, MessagesProgram, programs, name, api_key=own).message
    assert "does not exist" in refused(UNKNOWN, MessagesProgram, programs, name, api_key=other).message


def test_another_model_of_the_same_id_keeps_its_own_name(
    programs: Programs, messages: ModelServer, switched_off: ChatModel
) -> None:
    """The bare id then means the other model, as the list says."""
    twin = Provider.objects.create(name="Twin", protocol="anthropic", base_url=messages.url)
    twin.chat_models.create(model_id="test-anthropic")
    try:
        assert {model.id for model in programs.anthropic().models.list()} == {"test-openai", "test-anthropic"}
        assert programs.anthropic().models.retrieve("test-anthropic").id == "test-anthropic"
        error = refused(UNKNOWN, MessagesProgram, programs, "Testing anthropic/test-anthropic")
        assert "switched off" in error.message
    finally:
        twin.delete()
