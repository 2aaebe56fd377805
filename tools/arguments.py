"""Whether arguments fit a tool's schema, and whether a schema is one; both come from strangers.

`jsonschema` is imported on first use, as it comes with the SDK.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from tools.limits import LIMITS

if TYPE_CHECKING:
    from jsonschema import ValidationError

_MOST_FAULTS: Final = 5
_MOST_REFERENCES: Final = 2_000
# A pattern may be written to take for ever, and holds the whole process meanwhile; the server checks it itself.
_NOT_CHECKED: Final = ("pattern", "patternProperties", "format")


class _TooManyReferences(Exception):
    """References that lead on to references multiply."""


def schema_fault(schema: Any) -> str:
    """What makes a tool's input schema unusable, in words for administrators; "" when nothing does."""
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator

    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "Its input is not described as an object."
    try:
        written = orjson.dumps(schema)
        if len(written) > LIMITS.schema_size:
            return "The description of its input is too large."
        if b"\\u0000" in written:
            # Which Postgres keeps in no JSON.
            return "The description of its input holds an unprintable character."
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"The description of its input is not valid: {error.message[:200]}"
    except (orjson.JSONEncodeError, RecursionError):
        return "The description of its input cannot be read."
    return ""


def faults(schema: Mapping[str, Any], arguments: Any) -> str:
    """What does not fit, in words for the model; "" when all does. Blocks for milliseconds, not for ever."""
    if not isinstance(arguments, dict):
        return "The arguments must be an object."
    try:
        found = [_words(error) for error in islice(_errors(schema, arguments), _MOST_FAULTS)]
    except Exception:  # noqa: BLE001
        # The schema leads nowhere or in circles: the server, which wrote it, is the one to judge.
        return ""
    return "\n".join(found)


def _errors(schema: Mapping[str, Any], arguments: dict[str, Any]) -> Iterator[ValidationError]:
    from jsonschema.validators import Draft202012Validator, extend
    from referencing import Registry

    left = count(_MOST_REFERENCES, -1)

    def reference(validator: Any, to: str, instance: Any, _: Any) -> Iterator[ValidationError]:
        if next(left) <= 0:
            raise _TooManyReferences
        yield from validator._validate_reference(ref=to, instance=instance)

    checks = {"$ref": reference, "$dynamicRef": reference, **dict.fromkeys(_NOT_CHECKED)}
    # An empty registry: a reference elsewhere is not fetched.
    validator: Any = extend(Draft202012Validator, checks)(schema, registry=Registry())
    errors: Iterator[ValidationError] = validator.iter_errors(arguments)
    return errors


def _words(error: ValidationError) -> str:
    place = ".".join(str(step) for step in error.absolute_path)
    return f"{place}: {error.message[:300]}" if place else error.message[:300]
