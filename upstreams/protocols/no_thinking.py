"""How a model is asked not to think, although it does by default."""

from collections.abc import Mapping
from typing import Any, Final

from upstreams.chat import Effort
from upstreams.endpoint import Endpoint, ProtocolName

_DISABLED: Final = {"thinking": {"type": "disabled"}}
_NO_EFFORT: Final = {"reasoning_effort": Effort.NONE}
_TEMPLATE: Final = {"chat_template_kwargs": {"enable_thinking": False}}
_FORMS: Final[Mapping[str, Any]] = {**_DISABLED, **_NO_EFFORT, **_TEMPLATE}


def build_no_thinking(endpoint: Endpoint) -> dict[str, Any]:
    """The fields of a request that switch thinking off. A server that refuses them gets the request without them.

    Chat Completions servers without an effort know one of two fields, or neither.
    """
    if endpoint.protocol is ProtocolName.ANTHROPIC:
        return dict(_DISABLED)
    return dict(_NO_EFFORT) if endpoint.reasoning_effort else {**_TEMPLATE, **_DISABLED}


def find_no_thinking(body: Mapping[str, Any]) -> set[str]:
    """The fields of a request, of either protocol, that switch thinking off."""
    return {field for field, value in _FORMS.items() if body.get(field) == value}
