"""The list of models, in one shape that clients of both protocols can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as clients see it. `id` is its name in requests; sizes are tokens, None if unknown."""

    id: str
    display_name: str
    created_at: datetime
    max_input_tokens: int | None
    max_tokens: int | None
    owned_by: str


def render_list(models: Sequence[ListedModel]) -> dict[str, Any]:
    """All models on one page, the newest first."""
    newest_first = sorted(models, key=lambda model: model.created_at, reverse=True)
    return {
        "object": "list",
        "data": [render_model(model) for model in newest_first],
        "has_more": False,
        "first_id": newest_first[0].id if newest_first else None,
        "last_id": newest_first[-1].id if newest_first else None,
    }


def render_model(model: ListedModel) -> dict[str, Any]:
    sizes = {"max_input_tokens": model.max_input_tokens, "max_tokens": model.max_tokens}
    return {
        "type": "model",
        "object": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": model.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "created": int(model.created_at.timestamp()),
        "owned_by": model.owned_by,
        **{name: size for name, size in sizes.items() if size is not None},
    }
