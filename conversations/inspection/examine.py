"""Inspects a file on disk: UTF-8 in this process, everything else in a confined process of its own."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from chatsite.values.figures import size
from conversations.inspection.findings import PATHS, FileLimits, Finding, Kind, Refused
from conversations.inspection.sniff import kind_of
from conversations.inspection.text import NOT_TAKEN, find_certain_encoding, has_mark, store

PATIENCE: Final = 40.0
"""Seconds for an inspection. The limits of its process are lower."""
AT_A_TIME: Final = 2
"""Inspections at the same time. Others wait, so many uploads take no more memory than two."""

_ROOT: Final = Path(__file__).resolve().parents[2]
_turn = threading.BoundedSemaphore(AT_A_TIME)

logger = logging.getLogger(__name__)


@contextmanager
def inspect_file(source: Path, limits: FileLimits) -> Iterator[Finding]:
    """Yields the finding; raises Refused. Its files exist until the block ends."""
    length = source.stat().st_size
    if not length:
        raise Refused("is empty.")
    if length > limits.size:
        raise Refused(f"is too large ({size(length)}; limit {size(limits.size)}).")
    kind = kind_of(source)
    with TemporaryDirectory(prefix="chatsite-") as name:
        folder = Path(name)
        yield _text(source, folder, limits) if kind is Kind.TEXT else _inspect(kind, source, folder, limits)


def _text(source: Path, folder: Path, limits: FileLimits) -> Finding:
    with source.open("rb") as file:
        start = file.read(limits.text_size + 1)
    if len(start) > limits.text_size:
        if b"\0" in start and not has_mark(start):
            raise Refused(NOT_TAKEN)
        length = source.stat().st_size
        raise Refused(f"is too large for a text file ({size(length)}; limit {size(limits.text_size)}).")
    encoding = find_certain_encoding(start)
    if encoding is None:
        return _inspect(Kind.TEXT, source, folder, limits)
    return store(start, encoding, folder, is_certain=True)


def _inspect(kind: Kind, source: Path, folder: Path, limits: FileLimits) -> Finding:
    question = {"kind": kind, "source": str(source), "folder": str(folder), "limits": asdict(limits)}
    # Only what Python needs to start, and none of our secrets.
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ}
    with _turn:
        try:
            ended = subprocess.run(  # noqa: S603 (our own module, without user input)
                [sys.executable, "-m", "conversations.inspection.worker"],
                input=json.dumps(question).encode(),
                capture_output=True,
                cwd=_ROOT,
                env=environment,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Refused("took too long to read.") from None
    return _read_answer(ended, kind)


def _read_answer(ended: "subprocess.CompletedProcess[bytes]", kind: Kind) -> Finding:
    try:
        answer: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        # The limits ended it, or a fault of a parser.
        logger.warning(
            "An inspection ended with %s: %s", ended.returncode, ended.stderr[-500:].decode("utf-8", "replace")
        )
        raise Refused("is damaged, or too complex to read.") from None
    if "refused" in answer:
        raise Refused(answer["refused"])
    found = answer["found"]
    paths = {name: Path(found[name]) for name in PATHS if found[name] is not None}
    return Finding(**{**found, **paths, "kind": kind})
