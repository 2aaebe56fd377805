"""Whether this process is about to stop. Load balancers then send it no new requests."""

_is_draining = False


def drain() -> None:
    """Marks the process as about to stop, for the rest of its life."""
    global _is_draining
    _is_draining = True


def is_draining() -> bool:
    return _is_draining
