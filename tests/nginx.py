"""nginx with the configuration that docs/ recommends, in front of processes of a test."""

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import httpx

from tests.browser.site import ROOT, free_port

PATIENCE = 10.0


@contextmanager
def nginx(directory: Path, ports: Sequence[int]) -> Iterator[str]:
    """Serves the processes at these ports. Yields the common address."""
    program = which("nginx") or which("nginx", path="/usr/sbin:/usr/local/sbin")
    assert program, "Install nginx: this test shows that docs/nginx.conf is right."
    port = free_port()
    config = directory / "nginx.conf"
    config.write_text(build_config(directory, port, ports))
    process = subprocess.Popen([program, "-c", str(config), "-p", str(directory)], stderr=subprocess.STDOUT)
    try:
        until_reachable(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def build_config(directory: Path, port: int, ports: Sequence[int]) -> str:
    """The recommended configuration without TLS, and what it leaves to the system's own file."""
    site = (ROOT / "docs" / "nginx.conf").read_text()
    site = re.sub(
        r"( +server 127\.0\.0\.1:\d+;\n)+", "".join(f"    server 127.0.0.1:{each};\n" for each in ports), site
    )
    site = re.sub(r" +ssl_\w+ [^;]+;\n", "", site).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{each}_temp_path {directory}/{each};\n" for each in places)
    return (
        f"daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log; worker_processes 1;\n"
        f"events {{ worker_connections 512; }}\nhttp {{\naccess_log off;\n{paths}{site}}}\n"
    )


def until_reachable(address: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if httpx.get(address).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, "nginx does not answer"
        time.sleep(0.05)
