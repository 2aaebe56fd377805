"""Inspects one uploaded file in a process of its own: `python -m conversations.inspection.worker`, JSON in and out.

Parsers of images and PDF files and the tables of encodings are large, and the files may be hostile. A separate
process has limits, can be ended, returns its memory when it ends, and has no secrets in its environment.
"""

import json
import logging
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from conversations.inspection.findings import FileLimits, Finding, Kind, Refused

MEMORY: Final = 1 << 30
"""Bytes of address space."""
CPU_SECONDS: Final = 25
LARGEST_RESULT: Final = 1 << 28


def confine() -> None:
    """Sets limits that the system enforces. Without them, only the parent's timeout is left."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, LARGEST_RESULT),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            continue


def finding(kind: Kind, source: Path, folder: Path, limits: FileLimits) -> Finding:
    if kind is Kind.IMAGE:
        from conversations.inspection import image

        return image.draw_anew(source, folder, limits)
    if kind is Kind.TEXT:
        from conversations.inspection import guessing

        return guessing.read(source, folder)
    from conversations.inspection import pdf

    return pdf.read(source, folder, limits)


def answer(question: dict[str, Any]) -> dict[str, Any]:
    try:
        found = finding(
            Kind(question["kind"]), Path(question["source"]), Path(question["folder"]), FileLimits(**question["limits"])
        )
    except Refused as refused:
        return {"refused": str(refused)}
    except MemoryError:
        return {"refused": "needs too much memory to read."}
    except Exception as error:
        return {"refused": "is damaged and cannot be read.", "because": repr(error)}
    return {"found": asdict(found)}


if __name__ == "__main__":
    confine()
    logging.disable()
    warnings.simplefilter("ignore")
    print(json.dumps(answer(json.load(sys.stdin)), default=str))
