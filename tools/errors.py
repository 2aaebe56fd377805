"""The kinds of tool server failures, each with a message for people."""

from typing import ClassVar, Self


class ToolServerError(Exception):
    """The base class. `str(error)` says what happened and what to do; `kind` is stored and shown."""

    kind: ClassVar[str] = "tool_server_error"
    message: ClassVar[str] = "{name} could not run the tool. Try again later."
    advice: ClassVar[str] = ""
    """Advice for administrators, as a sentence without its subject and full stop."""

    def __init__(self, summary: str, *, detail: str = ""):
        super().__init__(f"{summary} An administrator can {self.advice}." if self.advice else summary)
        self.summary = summary
        """What happened, without advice for administrators."""
        self.detail = detail
        """The server's own words, shortened, or a hint for administrators. Never contains a header."""

    @classmethod
    def at(cls, name: str, *, detail: str = "") -> Self:
        """This kind of failure at the server called `name`, with the kind's message."""
        return cls(cls.message.format(name=name), detail=detail)


class ToolServerUnreachable(ToolServerError):
    kind = "unreachable"
    message = "Could not reach {name}."
    advice = "check its address and the network under Tools"


class AccessDenied(ToolServerError):
    kind = "refused"
    message = "{name} denied access."
    advice = "check its headers under Tools"


class TimedOut(ToolServerError):
    kind = "timed_out"
    message = "{name} did not respond in time. Try again, or continue without it."


class AnswerTooLarge(ToolServerError):
    kind = "too_large"
    message = "{name} sent too much data. Ask for less at once."


class NotAToolServer(ToolServerError):
    """The server at the address does not speak the protocol: it sent a web page, a redirect or other JSON."""

    kind = "not_a_tool_server"
    message = "The server at {name}’s address did not respond like a tool server."
    advice = "check its address under Tools"


class ToolServerFailed(ToolServerError):
    kind = "server_failed"
    message = "{name} reported an internal error. Try again in a moment."


class CallRejected(ToolServerError):
    """The server speaks the protocol and rejected this request. `detail` has its words."""

    kind = "call_refused"
    message = "{name} rejected the request."


class HeadersUnreadable(ToolServerError):
    """The headers were sealed with another SEALING_KEY."""

    kind = "headers_unreadable"
    message = "The headers for {name} can no longer be read."
    advice = "enter them again under Tools"
