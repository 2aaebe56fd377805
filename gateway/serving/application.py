"""The interface for programs, as an ASGI application: both protocols under /v1/, to whoever shows a key.

It stands beside the pages, not among them: no sessions, no forms, no redirects. Every answer is in the shape of the
protocol that was asked in, whatever it is.
"""

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import OperationalError

from accounts.keys import is_secret, read_secret
from gateway.catalogue.listing import listing, one
from gateway.dialects import DIALECTS
from gateway.ids import new_id
from gateway.problems import Problem
from gateway.serving.admission import Asked, admit, admit_count, key_of, model_of, models_of
from gateway.serving.calls import ProgramCall, while_there
from gateway.serving.counting import counted
from gateway.serving.incoming import Gone, Incoming, Receive
from gateway.serving.outgoing import Outgoing, Send
from gateway.serving.threads import in_thread
from upstreams.endpoint import ProtocolName

logger = logging.getLogger(__name__)

PREFIX: Final = "/v1/"
READ_FROM_ANYBODY: Final = 1_000_000
"""Bytes of a request that are read before it is known whose it is."""
_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_BETA: Final = re.compile(r"[\w.,\- ]{1,1000}", re.ASCII)
_key_of, _admit, _admit_count = in_thread(key_of), in_thread(admit), in_thread(admit_count)
_models_of, _model_of = in_thread(models_of), in_thread(model_of)


async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    incoming, out = Incoming(scope, receive), Outgoing(send, new_id("req_"))
    began = time.monotonic()
    try:
        await _answered(incoming, out)
    finally:
        logger.info(
            *("%s %s %a%s: %s after %.3f s", out.request_id, incoming.method, incoming.path[:200], out.about),
            *(out.status or "left", time.monotonic() - began),
        )


async def _answered(incoming: Incoming, out: Outgoing) -> None:
    dialect = DIALECTS[_protocol(incoming)]
    try:
        await _answer(incoming, out)
        return
    except Problem as told:
        problem = told
    except Gone:
        return
    except OperationalError:
        logger.warning("%s: the database cannot be asked", out.request_id, exc_info=True)
        problem = Problem(503, "api_error", "This site cannot reach its database. Try again in a moment.")
    except Exception:
        logger.exception("%s failed", out.request_id)
        problem = Problem(500, "api_error", "This site had an internal error, which has been logged.")
    if not out.status:
        await out.refuse(dialect.error(problem, out.request_id), problem)
    else:
        await out.write(dialect.Encoder("").failure(problem, out.request_id))
        await out.end()


async def _answer(incoming: Incoming, out: Outgoing) -> None:
    if settings.HTTPS and not incoming.is_encrypted:
        fault = "This site only accepts https://, because others can read unencrypted requests."
        raise Problem(403, "permission_error", fault, should_retry=False)
    match incoming.path:
        case "/v1/messages":
            await _reply(ProtocolName.ANTHROPIC, incoming, out)
        case "/v1/chat/completions":
            await _reply(ProtocolName.OPENAI, incoming, out)
        case "/v1/messages/count_tokens":
            await _count(incoming, out)
        case "/v1/models":
            _expect("GET", incoming)
            await out.whole(orjson.dumps(listing(await _models_of(read_secret(incoming.headers)))))
        case path if path.startswith("/v1/models/"):
            _expect("GET", incoming)
            model = await _model_of(read_secret(incoming.headers), path.removeprefix("/v1/models/"))
            await out.whole(orjson.dumps(one(model)))
        case _:
            raise Problem(404, "not_found_error", "This path does not exist.")


async def _reply(protocol: ProtocolName, incoming: Incoming, out: Outgoing) -> None:
    asked = await _asked(protocol, incoming, out)
    beta = incoming.headers.get("anthropic-beta", "")
    admitted = await _admit(asked)
    out.about = f", key {admitted.key.pk}, model {admitted.chat_model.pk}"
    call = ProgramCall(admitted, out, beta if _BETA.fullmatch(beta) else "")
    others = [incoming.gone(), out.keep_alive(call.ping)] if asked.is_streamed else [incoming.gone()]
    await while_there(call.run(), others)


async def _count(incoming: Incoming, out: Outgoing) -> None:
    asked = await _asked(ProtocolName.ANTHROPIC, incoming, out)
    model, endpoint = await _admit_count(asked)
    count, is_estimate = await counted(asked, model.model_id, endpoint)
    if is_estimate:
        out.headers["x-token-count"] = "estimate"
    await out.whole(orjson.dumps({"input_tokens": count}))


async def _asked(protocol: ProtocolName, incoming: Incoming, out: Outgoing) -> Asked:
    _expect("POST", incoming)
    secret = read_secret(incoming.headers)
    if not is_secret(secret) or incoming.size is None or incoming.size > READ_FROM_ANYBODY:
        await _key_of(secret)
    try:
        if protocol is ProtocolName.ANTHROPIC and not _VERSION.fullmatch(incoming.headers.get("anthropic-version", "")):
            raise Problem(400, "invalid_request_error", "anthropic-version: must be a date such as 2023-06-01.")
        return Asked(secret, protocol, await incoming.json(), out.request_id)
    except Problem:
        # What is wrong with a request is told to those who may make one.
        await _key_of(secret)
        raise


def _expect(method: str, incoming: Incoming) -> None:
    if incoming.method != method:
        raise Problem(405, "invalid_request_error", f"This path only accepts {method}.")


def _protocol(incoming: Incoming) -> ProtocolName:
    """The one in which errors are told."""
    if incoming.path.startswith("/v1/messages"):
        return ProtocolName.ANTHROPIC
    if incoming.path.startswith("/v1/chat/") or "anthropic-version" not in incoming.headers:
        return ProtocolName.OPENAI
    return ProtocolName.ANTHROPIC
