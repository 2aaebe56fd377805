"""Decides whether a request is allowed, and for which model. All database work before the call happens here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from accounts.keys import ApiKey
from gateway.catalogue import naming
from gateway.catalogue.listing import ListedModel
from gateway.catalogue.lookups import find_key
from gateway.dialects import DIALECTS, messages
from gateway.models import allowed_models, find_models_for
from gateway.problems import MAX_RETRY_AFTER, Problem, shorten
from gateway.serving.output_limits import limit_output, read_limit
from gateway.serving.payloads import pass_through_payload, wants_usage
from gateway.translation import TranslateReply, translate
from ledger.booking import entries
from ledger.booking.meter import Meter
from ledger.models import Entry
from ledger.token_estimates import estimate_prompt
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.models import ChatModel
from upstreams.sealing import SealBroken

_SEE_LIST: Final = "GET /v1/models lists the models that this key can use."


@dataclass(frozen=True, slots=True)
class ProgramRequest:
    """A program's request for a reply, in the program's protocol."""

    secret: str
    protocol: ProtocolName
    body: Mapping[str, Any]
    id: str

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def is_streamed(self) -> bool:
        return self.body.get("stream") is True

    @property
    def wants_usage(self) -> bool:
        return wants_usage(self.body)


@dataclass(frozen=True, slots=True)
class AdmittedCall:
    """A call that may be made. Its `payload` is in the upstream's protocol."""

    request: ProgramRequest
    key: ApiKey
    chat_model: ChatModel
    endpoint: Endpoint
    payload: Mapping[str, Any]
    dropped: Sequence[str]
    """Fields of the request that the upstream does not get."""
    translate_reply: TranslateReply | None
    """None if the reply passes through."""
    entry: Entry
    meter: Meter


def admit(request: ProgramRequest) -> AdmittedCall:
    """Reserves the call's maximum in the ledger. Raises the Problem that forbids the call."""
    key = require_key(request.secret)
    dialect = DIALECTS[request.protocol]
    dialect.check_essentials(request.body)
    chat_model, endpoint = require_endpoint(key, request.model)
    if endpoint.protocol is not request.protocol:
        dialect.check(request.body)
    body = limit_output(request.body, request.protocol, endpoint, chat_model.limits)
    dropped: Sequence[str] = body.dropped
    translate_reply = None
    if endpoint.protocol is request.protocol:
        payload = pass_through_payload(request.protocol, body.fields, chat_model.model_id)
    else:
        translation = translate(body.fields, request.protocol, endpoint, chat_model.model_id, chat_model.limits)
        payload, translate_reply = translation.body, translation.translate_reply
        dropped = [*body.dropped, *translation.dropped]
    limit = read_limit(payload, endpoint, chat_model.limits)
    prompt_tokens = estimate_prompt(request.body)
    caller = entries.Caller(key.person, entries.CallSource.GATEWAY, request.id, key)
    try:
        entry = entries.begin(
            caller, chat_model, prompt_tokens=prompt_tokens, max_tokens=limit.tokens, answers=limit.answers
        )
    except entries.CallRefused as refusal:
        raise _describe_refusal(refusal) from None
    return AdmittedCall(
        request, key, chat_model, endpoint, payload, dropped, translate_reply, entry, Meter(prompt_tokens)
    )


def admit_count(request: ProgramRequest) -> tuple[ChatModel, Endpoint]:
    """Admits a request to count tokens, which is booked without tokens. Raises the Problem that forbids it."""
    key = require_key(request.secret)
    messages.check_count_essentials(request.body)
    chat_model, endpoint = require_endpoint(key, request.model)
    if endpoint.protocol is not request.protocol:
        messages.check_count(request.body)
    try:
        entries.book_count(entries.Caller(key.person, entries.CallSource.COUNT, request.id, key), chat_model)
    except entries.CallRefused as refusal:
        raise _describe_refusal(refusal) from None
    return chat_model, endpoint


def list_models(secret: str) -> list[ListedModel]:
    return naming.list_models(find_models_for(require_key(secret)))


def describe_model(secret: str, name: str) -> ListedModel:
    return naming.describe_model(require_model(require_key(secret), name), name)


def require_key(secret: str) -> ApiKey:
    if not secret:
        fault = "The API key is missing. Send it as x-api-key, or as authorization: Bearer."
    elif key := find_key(secret):
        return key
    else:
        fault = "The API key is invalid, expired or revoked."
    raise Problem(401, "authentication_error", fault, code="invalid_api_key")


def find_ended_keys(pks: Collection[int]) -> dict[int, Problem]:
    """Those of the keys that are not valid any more, by primary key, each with its problem."""
    valid = set(ApiKey.objects.valid().filter(pk__in=pks).values_list("pk", flat=True))
    ended = set(pks) - valid
    if not ended:
        return {}
    keys = ApiKey.objects.select_related("person").in_bulk(ended)
    return {pk: _describe_ended_key(keys.get(pk)) for pk in ended}


def require_model(key: ApiKey, name: str) -> ChatModel:
    """Returns the key's model with this name. A model that is not offered, or not to this key, is refused."""
    # PostgreSQL refuses to look for this character, which no name contains.
    name = name.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if chat_model := naming.find_model(key, name):
        return chat_model
    quoted = repr(shorten(name))
    if not key.every_model and naming.is_name_in(ChatModel.objects.offered(), name):
        fault = f"model: this key has no access to {quoted}. {_SEE_LIST}"
        raise Problem(403, "permission_error", fault, param="model")
    is_off = naming.is_name_in(allowed_models(ChatModel.objects.all(), key), name)
    fault = f"model: {quoted} {'is switched off on this site' if is_off else 'does not exist'}. {_SEE_LIST}"
    raise Problem(404, "not_found_error", fault, param="model", code="model_not_found")


def require_endpoint(key: ApiKey, name: str) -> tuple[ChatModel, Endpoint]:
    chat_model = require_model(key, name)
    try:
        return chat_model, chat_model.provider.build_endpoint()
    except SealBroken:
        fault = "This site cannot read its own key for the model. Contact the site's administrator."
        raise Problem(503, "api_error", fault, should_retry=False) from None


def _describe_ended_key(key: ApiKey | None) -> Problem:
    if key is None:
        fault = "This API key was deleted."
    elif key.revoked_at:
        fault = "This API key was revoked."
    elif key.is_expired:
        fault = "This API key has expired."
    else:
        fault = "The account of this API key was deactivated."
    return Problem(401, "authentication_error", f"{fault} The reply was stopped.", code="invalid_api_key")


def _describe_refusal(refusal: entries.CallRefused) -> Problem:
    wait = refusal.retry_after
    is_over_budget = refusal.kind == "over_budget"
    return Problem(
        429,
        "rate_limit_error",
        str(refusal),
        code="insufficient_quota" if is_over_budget else "rate_limit_exceeded",
        retry_after=None if wait is None else min(wait, MAX_RETRY_AFTER),
        # One SDK sleeps for any time that it reads here. If the wait is long, its user should see the problem at once.
        should_retry=None if wait is not None and wait <= MAX_RETRY_AFTER else False,
    )
