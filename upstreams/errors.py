"""The kinds of upstream failures, each with a message for people."""

from typing import ClassVar, Self


class UpstreamError(Exception):
    """The base class. `str(error)` says what happened and what to do. `kind` is stored and shown."""

    kind: ClassVar[str] = "upstream_error"
    words: ClassVar[str] = "{name} could not respond. Try again later."
    advice: ClassVar[str] = ""
    """Advice for administrators, as a sentence without its subject and full stop."""
    retryable: bool = False
    """Whether the same request may succeed at once. A header of the upstream overrules the kind."""

    def __init__(
        self,
        summary: str,
        *,
        advice: str | None = None,
        retry_after: float | None = None,
        detail: str = "",
        status: int | None = None,
        retryable: bool | None = None,
    ):
        advice = self.advice if advice is None else advice
        super().__init__(f"{summary} An administrator can {advice}." if advice else summary)
        self.summary = summary
        """What happened, without advice for administrators."""
        self.retry_after = retry_after
        """Seconds that the upstream asked us to wait."""
        self.detail = detail
        """The upstream's own words, shortened and without keys. They may name addresses: see redaction.py."""
        self.status = status
        """The HTTP status, if any."""
        if retryable is not None:
            self.retryable = retryable

    @classmethod
    def at(
        cls,
        name: str,
        *,
        retry_after: float | None = None,
        detail: str = "",
        status: int | None = None,
        retryable: bool | None = None,
    ) -> Self:
        """The failure of this kind at the provider called `name`, in the kind's own words."""
        return cls(
            cls.words.format(name=name), retry_after=retry_after, detail=detail, status=status, retryable=retryable
        )


class AuthenticationFailed(UpstreamError):
    kind = "authentication"
    words = "{name} rejected the API key."
    advice = "check it under Providers"


class PermissionRefused(UpstreamError):
    kind = "permission"
    words = "The API key for {name} has no access to this model."
    advice = "check its permissions there"


class UnknownModel(UpstreamError):
    kind = "unknown_model"
    words = "{name} did not find this model."
    advice = "check the model ID and the base URL"


class InvalidRequest(UpstreamError):
    kind = "invalid_request"
    words = "{name} rejected the request as invalid. Check the model's settings, or choose another model."


class RequestTooLarge(UpstreamError):
    kind = "request_too_large"
    words = (
        "The conversation is too long for this model at {name}. "
        "Drop the oldest messages from context, or start a new conversation."
    )


class RateLimited(UpstreamError):
    kind = "rate_limited"
    words = "{name} is limiting requests from this server. Try again in a minute."
    retryable = True


class QuotaExhausted(UpstreamError):
    kind = "quota_exhausted"
    words = "The credit or spending limit at {name} is used up."
    advice = "raise it there"


class Overloaded(UpstreamError):
    kind = "overloaded"
    words = "{name} is overloaded. Try again in a moment."
    retryable = True


class ServerFailed(UpstreamError):
    kind = "server_failed"
    words = "{name} reported an internal error. Try again in a moment."
    retryable = True


class Unreachable(UpstreamError):
    """There was no answer. `step` is the step that failed: address, name, connect, tls, timeout or dropped."""

    kind = "unreachable"
    words = "Could not reach {name}."
    advice = "check the address and the network"
    retryable = True
    step: str = "connect"


class NotAModelServer(UpstreamError):
    """The answer is not in the protocol: a web page, a redirect or other JSON."""

    kind = "not_a_model_server"
    words = "The server at {name}’s address did not respond like a model server."
    advice = "check the base URL under Providers"


class BrokenStream(UpstreamError):
    """The reply was cut off or became unreadable. The part before is valid."""

    kind = "broken_stream"
    words = "The connection to {name} was lost before the answer was complete. Continue, or try again."
    retryable = True


class Stalled(UpstreamError):
    kind = "stalled"
    words = "{name} stopped responding. Continue, retry, or choose another model."


class EmptyReply(UpstreamError):
    kind = "empty_reply"
    words = "{name} sent an empty answer. Try again, or rephrase your message."


class ReplyTooLarge(UpstreamError):
    kind = "reply_too_large"
    words = "The answer from {name} was too long and was cut off. Ask for a shorter one."
