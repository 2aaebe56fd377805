"""What libraries say is an event like any other."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.logger import Logger

from chatsite.serving.server import log_with_python
from tests.browser.site import ROOT, environment


def test_twisteds_errors_are_events(caplog: pytest.LogCaptureFixture) -> None:
    log_with_python()
    teapot = Logger("teapot")
    teapot.info("ready")
    try:
        raise ValueError("no tea")
    except ValueError:
        teapot.failure("cold\n{what}", what="now")
    [event] = caplog.records
    assert (event.levelno, event.getMessage()) == (logging.CRITICAL, "cold\nnow")
    assert event.exc_info and isinstance(event.exc_info[1], ValueError)


SCRIPT = """
import logging, logging.config, warnings
LOG = {"version": 1, "handlers": {"own": {"class": "logging.StreamHandler"}}, "disable_existing_loggers": False,
       "loggers": {"uvicorn": {"handlers": ["own"], "level": "INFO", "propagate": False}, "uvicorn.error": {},
                   "uvicorn.access": {"handlers": ["own"], "level": "INFO", "propagate": False}}}
logging.config.dictConfig(LOG)
import django
django.setup()
logging.getLogger("uvicorn.error").error("broken\\nforged")
logging.getLogger("uvicorn.access").info("GET /accounts/set-up/secret/")
warnings.warn("old tea", stacklevel=1)
"""


def test_uvicorns_errors_and_pythons_warnings_are_events(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT, env=environment(tmp_path, 1, LOG_LEVEL="INFO"), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if "UserWarning" in line or "uvicorn" in line]
    assert len(lines) == 2, done.stderr
    assert lines[0].endswith("ERROR uvicorn.error: broken\\nforged")
    assert " WARNING py.warnings: " in lines[1]
