"""A change to what a viewer sees, in htmx's words."""

from typing import Final, NamedTuple

TAIL: Final = "> .tail"


class Patch(NamedTuple):
    """HTML for a place: `target` is a selector relative to the block's container, `swap` an htmx swap."""

    target: str
    swap: str
    html: str
