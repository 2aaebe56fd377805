"""The API for programs, as an ASGI application: both protocols under /v1/, for anybody with a key.

It has no sessions, no forms and no redirects. Every response, also of an error, has the shape of the request's
protocol.
"""

import logging
import re
import time
from collections.abc import MutableMapping
from functools import partial
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import OperationalError

from accounts.keys import is_secret, read_secret
from chatsite.logs.request_ids import get_request_id
from gateway.catalogue.listing import render_list, render_model
from gateway.dialects import DIALECTS
from gateway.problems import Problem
from gateway.serving import running
from gateway.serving.admission import (
    ProgramRequest,
    admit,
    admit_count,
    describe_model,
    list_models,
    require_key,
)
from gateway.serving.calls import ProgramCall
from gateway.serving.counting import count_tokens
from gateway.serving.incoming import ClientGone, Incoming, Receive
from gateway.serving.outgoing import Outgoing, Send
from gateway.serving.paths import explain_unknown_path, find_protocol
from gateway.serving.threads import in_thread
from upstreams.endpoint import ProtocolName

logger = logging.getLogger(__name__)

MAX_UNCHECKED_SIZE: Final = 1_000_000
"""Bytes of a body that are read before its key is checked."""
DEFAULT_VERSION: Final = "2023-06-01"
"""The version of the Messages API for requests that name none."""
_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_BETA: Final = re.compile(r"[\w.,\- ]{1,1000}", re.ASCII)
_require_key, _admit, _admit_count = in_thread(require_key), in_thread(admit), in_thread(admit_count)
_list_models, _describe_model = in_thread(list_models), in_thread(describe_model)


async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    incoming, out = Incoming(scope, receive), Outgoing(send, get_request_id())
    began = time.monotonic()
    try:
        await _serve(incoming, out)
    finally:
        logger.info(
            *("%s %a%s: %s after %.3f s", incoming.method, incoming.path[:200], out.log_context),
            *(out.status or "left", time.monotonic() - began),
        )


async def _serve(incoming: Incoming, out: Outgoing) -> None:
    dialect = DIALECTS[_error_protocol(incoming)]
    try:
        await _route(incoming, out)
        return
    except Problem as raised:
        problem = raised
    except ClientGone:
        return
    except OperationalError:
        logger.warning("The database cannot be asked", exc_info=True)
        problem = Problem(503, "api_error", "This site cannot reach its database. Try again in a moment.")
    except Exception:
        logger.exception("A request of a program failed")
        words = f"This site had an internal error, which has been logged. Reference: {out.request_id}"
        problem = Problem(500, "api_error", words)
    if not out.status:
        await out.send_problem(dialect.render_error(problem, out.request_id), problem)
    else:
        await out.write(dialect.Encoder("").encode_failure(problem, out.request_id))
        await out.end()


async def _route(incoming: Incoming, out: Outgoing) -> None:
    if settings.HTTPS and not incoming.is_encrypted:
        fault = "This site only accepts https://, because others can read unencrypted requests."
        raise Problem(403, "permission_error", fault, should_retry=False)
    match incoming.path:
        case "/v1/messages":
            await _serve_reply(ProtocolName.ANTHROPIC, incoming, out)
        case "/v1/chat/completions":
            await _serve_reply(ProtocolName.OPENAI, incoming, out)
        case "/v1/messages/count_tokens":
            await _serve_count(incoming, out)
        case "/v1/models":
            _require_method("GET", incoming)
            await out.send_whole(orjson.dumps(render_list(await _list_models(read_secret(incoming.headers)))))
        case path if path.startswith("/v1/models/") and path.strip("/") != "v1/models":
            _require_method("GET", incoming)
            model = await _describe_model(read_secret(incoming.headers), path.removeprefix("/v1/models/"))
            await out.send_whole(orjson.dumps(render_model(model)))
        case _:
            raise Problem(404, "not_found_error", explain_unknown_path(incoming.path))


async def _serve_reply(protocol: ProtocolName, incoming: Incoming, out: Outgoing) -> None:
    running.local.require_open()
    request = await _read_request(protocol, incoming, out)
    beta = incoming.headers.get("anthropic-beta", "")
    admitted = await _admit(request)
    out.log_context = f", key {admitted.key.pk}, model {admitted.chat_model.pk}"
    call = ProgramCall(admitted, out, beta if _BETA.fullmatch(beta) else "")
    keep_alive = partial(out.keep_alive, call.encode_ping) if request.is_streamed else None
    await running.local.run(call, incoming.wait_until_gone(), keep_alive)


async def _serve_count(incoming: Incoming, out: Outgoing) -> None:
    request = await _read_request(ProtocolName.ANTHROPIC, incoming, out)
    model, endpoint = await _admit_count(request)
    count, is_estimate = await count_tokens(request, model.model_id, endpoint)
    if is_estimate:
        out.headers["x-token-count"] = "estimate"
    await out.send_whole(orjson.dumps({"input_tokens": count}))


async def _read_request(protocol: ProtocolName, incoming: Incoming, out: Outgoing) -> ProgramRequest:
    _require_method("POST", incoming)
    secret = read_secret(incoming.headers)
    if not is_secret(secret) or incoming.size is None or incoming.size > MAX_UNCHECKED_SIZE:
        await _require_key(secret)
    try:
        if protocol is ProtocolName.ANTHROPIC and not _VERSION.fullmatch(
            incoming.headers.get("anthropic-version", DEFAULT_VERSION)
        ):
            raise Problem(400, "invalid_request_error", "anthropic-version: must be a date such as 2023-06-01.")
        return ProgramRequest(secret, protocol, await incoming.read_json(), out.request_id)
    except Problem:
        # Only programs with a valid key learn what is wrong with their request.
        await _require_key(secret)
        raise


def _require_method(method: str, incoming: Incoming) -> None:
    if incoming.method != method:
        raise Problem(405, "invalid_request_error", f"This path only accepts {method}.")


def _error_protocol(incoming: Incoming) -> ProtocolName:
    """The protocol whose shape errors have."""
    is_messages = "anthropic-version" in incoming.headers
    return find_protocol(incoming.path) or (ProtocolName.ANTHROPIC if is_messages else ProtocolName.OPENAI)
