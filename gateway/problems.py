"""The reasons why the gateway cannot answer a request, in words for its client."""

import re
from typing import Final, Self

from upstreams import errors
from upstreams.redaction import strip_addresses

MAX_RETRY_AFTER: Final = 60.0
"""Seconds. One SDK sleeps for any time that it reads here; another gives up if it is too long."""
MAX_QUOTED: Final = 300
"""Characters of a client's own words in a message."""


class Problem(Exception):
    """A refusal or a failure, independent of the protocol.

    `kind` is the Messages API's `error.type`, `code` the Chat Completions API's, if it has one. `param` is the path of
    the wrong field. `should_retry` overrules what SDKs conclude from the status.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.param, self.code = param, code
        self.retry_after, self.should_retry = retry_after, should_retry

    @classmethod
    def at(cls, path: str, fault: str) -> Self:
        """The problem of a field that is missing, wrong, or cannot be passed on."""
        path = shorten(path)
        return cls(400, "invalid_request_error", f"{path}: {fault}", param=path)

    @classmethod
    def of(cls, failure: errors.UpstreamError) -> Self:
        """An upstream's failure, by its kind. Only the upstream's words about the client's request are passed on."""
        status, kind, message, code = _describe(failure)
        wait = failure.retry_after
        return cls(
            status,
            kind,
            message,
            code=code,
            retry_after=None if wait is None else min(wait, MAX_RETRY_AFTER),
            should_retry=None if failure.retryable else False,
        )


def shorten(text: str) -> str:
    """Returns a client's own words as short as an error message needs them."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


type _Description = tuple[int, str, str, str | None]

# Our own key was refused, not the client's, so nothing here is a 401 or 403.
_REFUSED_US: Final = (
    502,
    "api_error",
    "The model's provider rejected this site's API key. Contact the site's administrator.",
    None,
)
_BY_KIND: Final[dict[type[errors.UpstreamError], _Description]] = {
    errors.AuthenticationFailed: _REFUSED_US,
    errors.PermissionRefused: _REFUSED_US,
    errors.UnknownModel: (404, "not_found_error", "The model's provider did not find the model.", "model_not_found"),
    errors.RateLimited: (429, "rate_limit_error", "The model's provider is limiting requests.", "rate_limit_exceeded"),
    errors.QuotaExhausted: (503, "api_error", "The site's credit at the model's provider is used up.", None),
    errors.Overloaded: (529, "overloaded_error", "The model is overloaded.", None),
    errors.Unreachable: (502, "api_error", "Could not reach the model's provider.", None),
    errors.NotAModelServer: (502, "api_error", "The provider's address did not respond like a model server.", None),
    errors.BrokenStream: (
        502,
        "api_error",
        "The connection to the model's provider was lost before the reply was complete.",
        None,
    ),
    errors.Stalled: (504, "timeout_error", "The model stopped responding.", None),
    errors.EmptyReply: (502, "api_error", "The model sent an empty reply.", None),
    errors.ReplyTooLarge: (502, "api_error", "The reply was too long and was cut off.", None),
}
_ANY_OTHER: Final[_Description] = (502, "api_error", "The model's provider reported an internal error.", None)
_SAYS_NOTHING: Final = re.compile(r"\W*(\d{3} )?(internal (server )?error|server error|error)?\W*", re.IGNORECASE)
_TOO_LONG: Final = "The request is too long for this model."


def _describe(failure: errors.UpstreamError) -> _Description:
    match failure:
        case errors.InvalidRequest():
            status = 422 if failure.status == 422 else 400
            return (
                status,
                "invalid_request_error",
                _upstreams_words(failure) or "The model's provider rejected the request as invalid.",
                None,
            )
        case errors.RequestTooLarge(status=413):
            return 413, "request_too_large", _upstreams_words(failure) or _TOO_LONG, None
        case errors.RequestTooLarge():
            return 400, "invalid_request_error", _upstreams_words(failure) or _TOO_LONG, "context_length_exceeded"
        case errors.ServerFailed() if words := _useful_words(failure):
            return 502, "api_error", f"The model's provider reported an internal error: {words}", None
        case errors.Overloaded(status=503):
            return 503, "api_error", _BY_KIND[errors.Overloaded][2], None
    return _BY_KIND.get(type(failure), _ANY_OTHER)


def _useful_words(failure: errors.UpstreamError) -> str:
    """The words of a model server about its internal error; "" for a proxy's, a web page, or a mere status."""
    detail = failure.detail.strip()
    is_proxys = failure.status in (502, 503, 504) or "<html" in detail.lower() or detail.startswith("<")
    return "" if is_proxys or _SAYS_NOTHING.fullmatch(detail) else _upstreams_words(failure)


def _upstreams_words(failure: errors.UpstreamError) -> str:
    """The upstream's own words, which mostly name the field, without addresses."""
    return strip_addresses(failure.detail)
