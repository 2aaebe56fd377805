"""Checks tool schemas, and arguments against them. Neither can be trusted: servers and models write them.

`jsonschema` is imported on first use, because a site without tools does not need it: it takes 35 ms of the start
and 4 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from tools.limits import LIMITS

if TYPE_CHECKING:
    from jsonschema import ValidationError

_MAX_FAULTS: Final = 5
_MAX_REFERENCES: Final = 2_000
# A hostile regular expression can block the process forever. The server checks these itself.
_UNCHECKED: Final = ("pattern", "patternProperties", "format")


class _TooManyReferences(Exception):
    """References that lead to further references multiply without end."""


def find_schema_fault(schema: Any) -> str:
    """Why a tool's input schema is unusable, in words for administrators; "" if it is usable."""
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator

    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "The input schema does not describe an object."
    try:
        encoded = orjson.dumps(schema)
        if len(encoded) > LIMITS.schema_size:
            return "The input schema is too large."
        if b"\\u0000" in encoded:
            # PostgreSQL rejects this character in JSON.
            return "The input schema contains an unprintable character."
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"The input schema is not valid: {error.message[:200]}"
    except (orjson.JSONEncodeError, RecursionError):
        return "The input schema cannot be read."
    return ""


def find_argument_faults(schema: Mapping[str, Any], arguments: Any) -> str:
    """Why arguments do not match the schema, in words for the model; "" if they match.

    Blocks for some milliseconds at most.
    """
    if not isinstance(arguments, dict):
        return "The arguments must be an object."
    try:
        return "\n".join(_describe(error) for error in islice(_errors(schema, arguments), _MAX_FAULTS))
    except Exception:  # noqa: BLE001
        # The schema has dangling or circular references. Its author, the server, has to judge the arguments.
        return ""


def _errors(schema: Mapping[str, Any], arguments: dict[str, Any]) -> Iterator[ValidationError]:
    from jsonschema.validators import Draft202012Validator, extend
    from referencing import Registry

    remaining = count(_MAX_REFERENCES, -1)

    def follow(validator: Any, reference: str, instance: Any, _: Any) -> Iterator[ValidationError]:
        if next(remaining) <= 0:
            raise _TooManyReferences
        yield from validator._validate_reference(ref=reference, instance=instance)

    checks = {"$ref": follow, "$dynamicRef": follow, **dict.fromkeys(_UNCHECKED)}
    # An empty registry keeps the validator from fetching remote references.
    validator: Any = extend(Draft202012Validator, checks)(schema, registry=Registry())
    errors: Iterator[ValidationError] = validator.iter_errors(arguments)
    return errors


def _describe(error: ValidationError) -> str:
    path = ".".join(str(step) for step in error.absolute_path)
    return f"{path}: {error.message[:300]}" if path else error.message[:300]
