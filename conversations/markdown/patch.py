"""A change to what a viewer sees, in htmx's words."""

from dataclasses import dataclass
from typing import Final

TAIL: Final = "> .tail"


@dataclass(frozen=True, slots=True)
class Patch:
    """HTML for a place: `target` is a selector relative to the block's container, `swap` an htmx swap."""

    target: str
    swap: str
    html: str
