"""A model server as a provider of the site, and what became of the replies it wrote."""

from decimal import Decimal
from typing import Any

from conversations.models import Conversation, Generation
from tests.fakes import ModelServer
from upstreams.models import ChatModel, Provider


def provider_at(server: ModelServer, **fields: Any) -> ChatModel:
    """A model that this server answers for: 3 and 15 a million tokens."""
    provider = Provider(name="Testing", protocol=server.protocol, base_url=server.url)
    provider.set_key("key-of-the-test")
    provider.save()
    settings = {"model_id": "test-model", "name": "Test model", "supports_thinking": True, **fields}
    prices = {"input_price": Decimal(3), "output_price": Decimal(15)}
    model: ChatModel = provider.chat_models.create(**prices, **settings)
    model.make_default()
    return model


async def last_reply(conversation: Conversation) -> Generation:
    """The latest generation as the database has it, its message with it."""
    return await conversation.generations.select_related("message").alatest("pk")
