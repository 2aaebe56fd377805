"""How a tool server fails: few kinds, each with words fit for people."""

from typing import ClassVar, Self


class ToolServerError(Exception):
    """The base of all. `str(error)` says what happened and what to do; `kind` is stored and shown."""

    kind: ClassVar[str] = "tool_server_error"
    words: ClassVar[str] = "{name} could not run the tool. Try again later."

    def __init__(self, message: str, *, detail: str = ""):
        super().__init__(message)
        self.detail = detail
        """The server's own words, cut to a readable length, or a hint for administrators; never holds a header."""

    @classmethod
    def at(cls, name: str, *, detail: str = "") -> Self:
        """The failure of this kind at the server called `name`, in the kind's own words."""
        return cls(cls.words.format(name=name), detail=detail)


class Unreachable(ToolServerError):
    kind = "unreachable"
    words = "{name} cannot be reached. An administrator can check the address and the network under Tools."


class Refused(ToolServerError):
    kind = "refused"
    words = "{name} did not let us in. An administrator can check its headers under Tools."


class TimedOut(ToolServerError):
    kind = "timed_out"
    words = "{name} did not answer in time. Try again, or go on without it."


class TooLarge(ToolServerError):
    kind = "too_large"
    words = "{name} sent more than can be taken in. Ask for less at once."


class NotAToolServer(ToolServerError):
    """Something answered that does not speak the protocol: a web page, a redirect, other JSON."""

    kind = "not_a_tool_server"
    words = "What answered for {name} is not a tool server. An administrator can check its address under Tools."


class ServerFailed(ToolServerError):
    kind = "server_failed"
    words = "{name} had a fault of its own. Try again in a moment."


class CallRefused(ToolServerError):
    """The server speaks the protocol, and said no to this very request; `detail` has its words."""

    kind = "call_refused"
    words = "{name} refused the request."


class HeadersUnreadable(ToolServerError):
    """They were sealed with another SEALING_KEY."""

    kind = "headers_unreadable"
    words = "The headers for {name} cannot be read any more. An administrator can enter them again under Tools."
