"""How an upstream fails: few kinds, each with words fit for people."""


class UpstreamError(Exception):
    """The base of all. `str(error)` says what happened and what to do; `kind` is stored and shown."""

    kind = "upstream_error"
    retryable = False

    def __init__(self, message: str, *, retry_after: float | None = None, detail: str = "", status: int | None = None):
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the upstream asked us to wait."""
        self.detail = detail
        """The upstream's own words, cut to a readable length; never holds a key."""
        self.status = status
        """The HTTP status, when there was one."""
