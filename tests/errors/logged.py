"""Logs errors into a recorder of a test."""

import logging
from collections.abc import Callable

from chatsite.errors.recorder import ErrorRecorder
from chatsite.logs.request_ids import set_request_id


def fail_here(words: str = "no tea") -> None:
    raise ValueError(words)


def fail_there(words: str = "no tea") -> None:
    raise ValueError(words)


def make_logger(recorder: ErrorRecorder, name: str = "teapot") -> logging.Logger:
    logger = logging.Logger(name)
    recorder.setLevel(logging.ERROR)
    logger.addHandler(recorder)
    return logger


def log_failure(recorder: ErrorRecorder, work: Callable[[], None] = fail_here, id: str = "") -> None:
    set_request_id(id)
    try:
        work()
    except Exception:
        make_logger(recorder).exception("Making tea for %s failed", id)
    set_request_id("")
