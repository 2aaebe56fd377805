"""Reads error answers of both protocols, and of proxies in front of servers, as UpstreamErrors.

Sources: the Messages API's errors page, the Chat Completions error object, and the
variants that compatible servers and proxies send instead.
"""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from upstreams import errors
from upstreams.endpoint import Endpoint
from upstreams.redaction import strip_host

DETAIL_CHARACTERS: Final = 500
MAX_SEARCHED: Final = 10_000
"""Characters of an error message that are searched."""

_BY_WORD: Final[Mapping[str, type[errors.UpstreamError]]] = {
    "authentication_error": errors.AuthenticationFailed,
    "invalid_api_key": errors.AuthenticationFailed,
    "permission_error": errors.PermissionRefused,
    "not_found_error": errors.UnknownModel,
    "model_not_found": errors.UnknownModel,
    "request_too_large": errors.RequestTooLarge,
    "context_length_exceeded": errors.RequestTooLarge,
    "billing_error": errors.QuotaExhausted,
    "insufficient_quota": errors.QuotaExhausted,
    "rate_limit_error": errors.RateLimited,
    "rate_limit_exceeded": errors.RateLimited,
    "overloaded_error": errors.Overloaded,
    "overloaded": errors.Overloaded,
    "service_unavailable": errors.Overloaded,
    "api_error": errors.ServerFailed,
    "server_error": errors.ServerFailed,
    "timeout_error": errors.ServerFailed,
}
_BY_STATUS: Final[Mapping[int, type[errors.UpstreamError]]] = {
    401: errors.AuthenticationFailed,
    402: errors.QuotaExhausted,
    403: errors.PermissionRefused,
    404: errors.UnknownModel,
    408: errors.ServerFailed,
    409: errors.ServerFailed,
    413: errors.RequestTooLarge,
    429: errors.RateLimited,
    503: errors.Overloaded,
    529: errors.Overloaded,
}
_SPEND_LIMIT: Final = re.compile(r"\bspend(ing)?\b.{0,20}\blimit", re.IGNORECASE)
# Many servers report it only in words.
_TOO_LONG: Final = re.compile(
    r"(prompt|input|request|conversation|message)s? (is|are|was|were) too (long|large)|too many (input )?tokens"
    r"|(maximum|available|model'?s?) context (length|window|size)|context[ _](length|window|size|limit)s?[ _]exceeded"
    r"|exceeds?\b.{0,60}\bcontext (length|window|size|limit)s?|exceeds?\b.{0,40}\bmaximum (number of )?(input )?tokens",
    re.IGNORECASE,
)
# Some servers report a fault of the request as an error of their own. Repeating such a request changes nothing.
_IN_VAIN: Final = re.compile(
    r"\b(un|not )supported\b|\bdoes ?n[o']t support\b|\bnot implemented\b|\b(invalid|malformed|unmarshal|jinja2?)\b"
    r"|\btemplate\b|\bmust (be|have|start|end|contain|alternate|match)\b|\bis required\b|\bvalidation error"
    r"|\bunexpected keyword\b|\bunknown (field|parameter|argument)|\bobject has no attribute\b|NoneType"
    r"|BadRequest|(Type|Key|Value|Attribute|Index|Assertion|NotImplemented|Template)Error"
    r"|\brequires more (system )?memory\b",
    re.IGNORECASE,
)
_LIKE_A_KEY: Final = re.compile(r"\b(?:sk|key|pk)-[\w*.-]{6,}|\bbearer\s+\S+", re.IGNORECASE)


def read_refusal(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> errors.UpstreamError:
    """The failure that a non-2xx answer reports. The names in `headers` are in lower case."""
    error = _find_error(_parse_json(body))
    message, words = (body.decode("utf-8", "replace"), []) if error is None else _read_error(error)
    wait = retry_after(headers)
    kind = _choose_kind(status, words)
    if kind is errors.RateLimited and wait is None and _SPEND_LIMIT.search(message):
        kind = errors.QuotaExhausted
    if kind is errors.InvalidRequest and _TOO_LONG.search(message):
        kind = errors.RequestTooLarge
    return kind.at(
        endpoint.name,
        status=status,
        retry_after=wait,
        detail=redact(message, endpoint),
        retryable={"true": True, "false": False}.get(
            headers.get("x-should-retry", "").lower(), _may_help(kind, message)
        ),
    )


def find_failure(endpoint: Endpoint, answer: object) -> errors.UpstreamError | None:
    """The failure that a body or an event with status 200 reports, if any."""
    error = _find_error(answer)
    if error is None:
        return None
    message, words = _read_error(error)
    status = next((int(word) for word in words if re.fullmatch(r"[3-5]\d\d", word)), None)
    otherwise = errors.InvalidRequest if "invalid_request_error" in words else errors.ServerFailed
    kind = _choose_kind(status, words) if status else _find_kind_by_word(words) or otherwise
    if kind in (errors.InvalidRequest, errors.ServerFailed) and _TOO_LONG.search(message):
        kind = errors.RequestTooLarge
    return kind.at(endpoint.name, status=status, detail=redact(message, endpoint), retryable=_may_help(kind, message))


def redact(words: str, endpoint: Endpoint) -> str:
    """An upstream's own words on one line, cut short, without its host's name and without anything like a key."""
    if endpoint.key:
        words = words.replace(endpoint.key, "…")
    words = strip_host(words[: 8 * DETAIL_CHARACTERS], endpoint.base_url)
    words = " ".join(_LIKE_A_KEY.sub("…", words).split())
    return words if len(words) <= DETAIL_CHARACTERS else words[: DETAIL_CHARACTERS - 1] + "…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (a number, or an HTTP date)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    except ValueError:
        return None


def _may_help(kind: type[errors.UpstreamError], message: str) -> bool | None:
    """False if a repeated request would meet the same internal error; None if the kind of failure decides."""
    return False if kind is errors.ServerFailed and _IN_VAIN.search(message[:MAX_SEARCHED]) else None


def _choose_kind(status: int | None, words: list[str]) -> type[errors.UpstreamError]:
    if status is not None and 300 <= status < 400:
        return errors.NotAModelServer
    otherwise = errors.InvalidRequest if status is None or status < 500 else errors.ServerFailed
    return _find_kind_by_word(words) or _BY_STATUS.get(status or 0, otherwise)


def _find_kind_by_word(words: list[str]) -> type[errors.UpstreamError] | None:
    return next((_BY_WORD[word] for word in words if word in _BY_WORD), None)


def _parse_json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _find_error(answer: object) -> dict[str, Any] | None:
    """The error in an answer of any shape: {"error": {…}}, {"error": "…"}, {"message": …} or {"detail": …}."""
    if not isinstance(answer, dict):
        return None
    is_reply = any(name in answer for name in ("choices", "content", "role"))
    match answer:
        case {"error": dict(error)} if error:
            return error
        case {"error": str(message)} if message:
            return {**answer, "message": message}
        case {"error": list() | int() | float() as error} if error:
            return {"message": str(error)}
        case {"object": "error"}:
            return answer
        case {"detail": detail} if detail and not is_reply:
            return {**answer, "message": detail}
        case {"message": str()} if not is_reply:
            return answer
    return None


def _read_error(error: dict[str, Any]) -> tuple[str, list[str]]:
    """The message, and the code and type that identify the kind, the more specific one first."""
    message = error.get("message") or error.get("error") or ""
    text = message if isinstance(message, str) else orjson.dumps(message).decode()
    return text, [str(error[name]).lower() for name in ("code", "type") if isinstance(error.get(name), str | int)]
