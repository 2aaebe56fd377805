"""Programs that use the site through the official SDKs."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

from anthropic import Anthropic
from openai import OpenAI

from accounts.keys import ApiKey
from accounts.models import User
from ledger.models import Entry, UsageSum
from tests.fakes import ModelServer
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel, Provider

PATIENCE = 10.0
UPSTREAM_KEY = "sk-upstream-very-secret-0123456789"


class Programs:
    """Programs with Ada's key. Behind each protocol is a model "asked-<protocol>", "test-model" at its upstream."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.upstreams: dict[ProtocolName, ModelServer] = {}
        self._clients: dict[Any, Any] = {}
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        self.ada = User.objects.create_user("ada", "ada@example.org", "a quiet reading room", name="Ada Lovelace")
        self.key = ApiKey(person=self.ada, name="Night job")
        self.secret = self.key.renew_secret()
        self.key.save()
        for protocol in ProtocolName:
            server = self._ending.enter_context(ModelServer(protocol))
            self.upstreams[protocol] = server
            provider = Provider(name=f"Testing {protocol}", protocol=protocol, base_url=server.url)
            provider.set_key(UPSTREAM_KEY)
            provider.save()
            ChatModel.objects.create(provider=provider, model_id=f"test-{protocol}", supports_thinking=True)
        self._ending.callback(self._forget)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def _forget(self) -> None:
        self.forget_calls()
        for model in (Provider, ApiKey, User):
            model.objects.all().delete()

    def forget_calls(self) -> None:
        self.until_settled()
        for model in (Entry, UsageSum):
            model.objects.all().delete()

    def fresh(self, protocol: ProtocolName) -> ModelServer:
        """The upstream of this protocol, without earlier requests."""
        server = self.upstreams[protocol]
        server.forget()
        server.release()
        server.requests.clear()
        server.counted.clear()
        server.count = None
        server.asked.clear()
        server.disconnected.clear()
        return server

    def anthropic(self, **options: Any) -> Anthropic:
        return self._client(Anthropic, self.url, options)

    def openai(self, **options: Any) -> OpenAI:
        return self._client(OpenAI, f"{self.url}/v1", options)

    def _client[C](self, kind: Callable[..., C], url: str, options: dict[str, Any]) -> C:
        """Cached, because making a client takes longer than most requests."""
        if options:
            return kind(**{"base_url": url, "api_key": self.secret, "max_retries": 0, **options})
        if kind not in self._clients:
            self._clients[kind] = kind(base_url=url, api_key=self.secret, max_retries=0)
        client: C = self._clients[kind]
        return client

    def settled(self) -> Entry:
        """The ledger entry of the last call."""
        self.until_settled()
        return Entry.objects.latest("pk")

    def until_settled(self) -> None:
        until(lambda: not Entry.objects.open().exists())


def until(holds: Callable[[], bool]) -> None:
    """Waits for something that the site does after its response."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "It did not happen."
        time.sleep(0.01)


def asks(protocol: ProtocolName) -> str:
    """The name of the model behind this protocol."""
    return f"test-{protocol}"
