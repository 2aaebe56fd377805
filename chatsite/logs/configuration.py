"""Python's logging, as LOG_LEVEL and LOG_FORMAT ask for it."""

import logging
import logging.config
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATTERS: Final = {"text": "chatsite.logs.formats.LineFormatter", "json": "chatsite.logs.formats.JsonFormatter"}


def build_logging(level: str, format: str) -> dict[str, Any]:
    """Returns the setting LOGGING. Raises ImproperlyConfigured for an unknown level or format."""
    level, format = level.strip().upper(), format.strip().lower()
    if level not in LEVELS:
        raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    if format not in FORMATTERS:
        raise ImproperlyConfigured("LOG_FORMAT must be text or json.")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"event": {"()": FORMATTERS[format]}},
        "filters": {
            "without_traceback": {"()": "chatsite.logs.filters.WithoutTraceback"},
            "one_line_a_minute": {"()": "chatsite.logs.filters.OneLineAMinute"},
        },
        "handlers": {
            "errors": {"()": "chatsite.errors.recorder.get_recorder", "level": "ERROR"},
            "console": {"class": "logging.StreamHandler", "formatter": "event"},
            "refusals": {"class": "logging.StreamHandler", "formatter": "event", "filters": ["without_traceback"]},
        },
        "root": {"handlers": ["console", "errors"], "level": level},
        "loggers": {
            "django": {"handlers": ["console", "errors"], "level": "WARNING", "propagate": False},
            "django.security": {"handlers": ["refusals"], "propagate": False},
            # Log server errors only. Refusals are in the response.
            "django.request": {"level": "ERROR"},
            # They would log the address of each request, which may contain a key.
            **{name: {"level": "WARNING"} for name in ("httpx", "httpx2")},
            # Our errors name tool-server failures. The SDK's log would include content.
            "mcp": {"level": "CRITICAL"},
            "client": {"level": "CRITICAL"},
            # Without PostgreSQL, the pool logs every attempt to connect.
            "psycopg.pool": {"filters": ["one_line_a_minute"]},
            # Its own handlers would write lines in another format. It says at INFO where it serves.
            **{name: {"handlers": [], "level": "INFO", "propagate": True} for name in ("uvicorn", "uvicorn.error")},
            "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }


def configure_logging(config: dict[str, Any]) -> None:
    """Applies LOGGING, and makes warnings of Python events like all others."""
    logging.config.dictConfig(config)
    logging.captureWarnings(True)
    # Otherwise, Python would write an event that a full disk has refused once more, with its arguments.
    logging.raiseExceptions = False
