"""Whether a request may be made, of whom and in which words: all that the database is asked, in one go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.keys import ApiKey
from gateway.catalogue.listing import ListedModel
from gateway.catalogue.lookups import key_shown_by
from gateway.catalogue.naming import as_listed, listed, named
from gateway.dialects import DIALECTS, messages
from gateway.models import models_for
from gateway.problems import LONGEST_WAIT, Problem
from gateway.serving.payloads import most_tokens, verbatim, wants_usage
from gateway.translation import translated
from ledger.booking import entries
from ledger.booking.meter import Meter
from ledger.models import Entry
from ledger.sizes import estimate_prompt
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.models import ChatModel
from upstreams.sealing import SealBroken


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants, in its protocol."""

    secret: str
    protocol: ProtocolName
    body: Mapping[str, Any]
    request_id: str

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def is_streamed(self) -> bool:
        return self.body.get("stream") is True


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be made: `payload` is in the words of the upstream's protocol."""

    asked: Asked
    key: ApiKey
    chat_model: ChatModel
    endpoint: Endpoint
    payload: Mapping[str, Any]
    dropped: Sequence[str]
    """Fields that the upstream's protocol does not know."""
    entry: Entry
    meter: Meter

    @property
    def is_verbatim(self) -> bool:
        return self.endpoint.protocol is self.asked.protocol

    @property
    def wants_usage(self) -> bool:
        return wants_usage(self.asked.body)


def admit(asked: Asked) -> Admitted:
    """Raises the Problem because of which the call may not be made. What it may come to is reserved from now on."""
    key = key_of(asked.secret)
    DIALECTS[asked.protocol].check(asked.body)
    chat_model, endpoint = found(key, asked.model)
    dropped: Sequence[str] = ()
    if endpoint.protocol is asked.protocol:
        payload = verbatim(asked.protocol, asked.body, chat_model.model_id)
    else:
        told = translated(asked.body, asked.protocol, endpoint, chat_model.model_id, chat_model.limits)
        payload, dropped = told.body, told.dropped
    size = estimate_prompt(asked.body)
    caller = entries.Caller(key.person, entries.CallSource.GATEWAY, asked.request_id, key)
    try:
        entry = entries.begin(caller, chat_model, prompt_tokens=size, max_tokens=most_tokens(payload))
    except entries.CallRefused as refused:
        raise _refused(refused) from None
    return Admitted(asked, key, chat_model, endpoint, payload, dropped, entry, Meter(size))


def admit_count(asked: Asked) -> tuple[ChatModel, Endpoint]:
    """For a request that is only to be counted: nothing is booked."""
    key = key_of(asked.secret)
    messages.check_count(asked.body)
    return found(key, asked.model)


def models_of(secret: str) -> list[ListedModel]:
    return listed(models_for(key_of(secret)))


def model_of(secret: str, name: str) -> ListedModel:
    return as_listed(_named(key_of(secret), name), name)


def key_of(secret: str) -> ApiKey:
    if not secret:
        fault = "The API key is missing. Send it as x-api-key, or as authorization: Bearer."
    elif key := key_shown_by(secret):
        return key
    else:
        fault = "The API key is invalid, expired or revoked."
    raise Problem(401, "authentication_error", fault, code="invalid_api_key")


def found(key: ApiKey, name: str) -> tuple[ChatModel, Endpoint]:
    chat_model = _named(key, name)
    try:
        return chat_model, chat_model.provider.endpoint()
    except SealBroken:
        fault = "This site cannot read its own key for the model. Contact the site's administrator."
        raise Problem(503, "api_error", fault, should_retry=False) from None


def _named(key: ApiKey, name: str) -> ChatModel:
    if chat_model := named(key, name):
        return chat_model
    if not key.every_model and named(ApiKey(every_model=True), name):
        raise Problem(403, "permission_error", f"model: this key has no access to {name!r}.", param="model")
    raise Problem(404, "not_found_error", f"model: {name!r} does not exist.", param="model", code="model_not_found")


def _refused(refused: entries.CallRefused) -> Problem:
    wait = refused.retry_after
    is_over_budget = refused.kind == "over_budget"
    return Problem(
        429,
        "rate_limit_error",
        str(refused),
        code="insufficient_quota" if is_over_budget else "rate_limit_exceeded",
        retry_after=None if wait is None else min(wait, LONGEST_WAIT),
        # One SDK sleeps for as long as it is told: who has to wait until tomorrow is told at once.
        should_retry=None if wait is not None and wait <= LONGEST_WAIT else False,
    )
