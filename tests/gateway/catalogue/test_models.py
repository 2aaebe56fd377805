"""Which models a key is for."""

import pytest

from accounts.keys import ApiKey
from gateway.models import AllowedModel, find_models_for, restrict_key
from upstreams.models import ChatModel, Provider


@pytest.fixture
def provider(db):
    return Provider.objects.create(name="Testing", protocol="anthropic", base_url="http://127.0.0.1:9")


@pytest.fixture
def small(provider):
    return provider.chat_models.create(model_id="small", is_default=True)


@pytest.fixture
def large(provider):
    return provider.chat_models.create(model_id="large")


@pytest.fixture
def key(ada):
    key = ApiKey(person=ada, name="Nightly report")
    key.renew_secret()
    key.save()
    return key


def test_a_key_for_every_model_has_all_offered_models(key, small, large):
    assert list(find_models_for(key)) == [small, large]
    large.set_offered(False)
    assert list(find_models_for(key)) == [small]


def test_a_restricted_key_has_its_models_while_they_are_offered(key, small, large):
    restrict_key(key, [large])
    assert list(find_models_for(key)) == [large]
    large.set_offered(False)
    assert list(find_models_for(key)) == []
    large.set_offered(True)
    Provider.objects.update(is_enabled=False)
    assert list(find_models_for(key)) == []


def test_a_key_whose_models_are_gone_is_for_none(key, small, large):
    restrict_key(key, [large])
    ChatModel.objects.filter(pk=large.pk).delete()
    assert list(find_models_for(key)) == []


def test_a_key_can_be_restricted_again(key, small, large):
    restrict_key(key, [large, small])
    restrict_key(key, [small])
    assert list(find_models_for(key)) == [small] and AllowedModel.objects.count() == 1
