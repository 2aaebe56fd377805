"""JSON as model servers write it. A value that strict JSON does not allow costs nothing but itself.

orjson is strict and fast. Python's own parser reads what orjson refuses, and integers of any size, which orjson rounds
beyond 64 bits.
"""

import json
import math
import re
from typing import Any, Final

import orjson

_LONG_NUMBER: Final = re.compile(r"\d{19}")
_LONG_NUMBER_IN_BYTES: Final = re.compile(rb"[0-9]{19}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def load(text: bytes | str) -> Any:
    """Parses JSON with integers of any size. Raises orjson.JSONDecodeError.

    NaN and infinite numbers become None. Halves of surrogate pairs are joined, or replaced by U+FFFD.
    """
    text = _decode(text)
    if not _LONG_NUMBER.search(text):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    return _load_tolerantly(text, mends=True)


def load_strictly(wire: bytes) -> Any:
    """Parses strict JSON with integers of any size. Raises orjson.JSONDecodeError."""
    value = orjson.loads(wire)
    return load_piece(wire.decode()) if _LONG_NUMBER_IN_BYTES.search(wire) else value


def load_piece(text: str) -> Any:
    """Like `load`, but keeps lone surrogates: their other halves may follow in the next event of a stream."""
    return _load_tolerantly(text, mends=False)


def restore_long_numbers(value: Any, text: str) -> Any:
    """Returns `value`, which orjson has loaded from `text`, with its integers beyond 64 bits as they were."""
    return load_piece(text) if _LONG_NUMBER.search(text) else value


def dump(value: Any) -> bytes:
    """Writes JSON. Integers may have any size."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(mend(value), ensure_ascii=False, separators=(",", ":")).encode()


def dump_indented(value: Any) -> str:
    """Writes JSON for people to read. Integers may have any size."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        return json.dumps(mend(value), ensure_ascii=False, indent=2)


def has_surrogate(text: str) -> bool:
    return not text.isascii() and bool(_SURROGATE.search(text))


def mend(value: Any) -> Any:
    """Joins the halves of surrogate pairs in all strings of a JSON value. Lone halves become U+FFFD."""
    match value:
        case str():
            return (
                value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if has_surrogate(value) else value
            )
        case dict():
            return {mend(name): mend(inner) for name, inner in value.items()}
        case list():
            return [mend(inner) for inner in value]
    return value


def _load_tolerantly(text: str, *, mends: bool) -> Any:
    try:
        value = json.loads(text, strict=False, parse_constant=_as_null, parse_float=_load_float)
        return mend(value) if mends else value
    except (ValueError, RecursionError) as error:
        raise orjson.JSONDecodeError(str(error), "", 0) from None


def _decode(text: bytes | str) -> str:
    return text.decode("utf-8", "replace").removeprefix("\ufeff") if isinstance(text, bytes) else text


def _as_null(constant: str) -> None:
    """Replaces NaN, Infinity and -Infinity."""


def _load_float(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None
