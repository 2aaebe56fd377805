"""Starts processes pinned to cores, measures what they use, and ends them by id."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

CORES: Final = sorted(os.sched_getaffinity(0))
SERVER_CORES: Final = CORES[-1:]
LOAD_CORES: Final = CORES[:-1] or CORES


class Process:
    """A child process. Its output goes to `log`. It has ten seconds to end."""

    def __init__(self, command: Sequence[str], *, log: Path, cores: Sequence[int], **environment: str) -> None:
        self.log = log
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, **environment},
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def check(self) -> None:
        """Raises with the end of the log if the process has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.process.args} ended:\n{self.log.read_text()[-2000:]}")

    def cpu(self) -> float:
        """Returns the seconds of processor time so far, all threads together."""
        # The clock id of another process, built as clock_getcpuclockid(3) does.
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> float:
        """Returns the resident megabytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
