"""nginx with the configuration that docs/ recommends, in front of processes of a test."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from tests.browser.site import ROOT, free_port
from tests.certificates import Certificate
from tests.installation import is_reachable, until

PATIENCE = 10.0


@contextmanager
def nginx(directory: Path, ports: Sequence[int], certificate: Certificate | None = None) -> Iterator[str]:
    """Serves the processes at these ports, with TLS if there is a certificate. Yields the common address."""
    program = which("nginx") or which("nginx", path="/usr/sbin:/usr/local/sbin")
    assert program, "Install nginx: this test shows that docs/nginx.conf is right."
    port = free_port()
    config = directory / "nginx.conf"
    config.write_text(build_config(directory, port, ports, certificate))
    process = subprocess.Popen([program, "-c", str(config), "-p", str(directory)], stderr=subprocess.STDOUT)
    address = f"https://{certificate.host}:{port}" if certificate else f"http://127.0.0.1:{port}"
    try:
        until(lambda: is_reachable(f"{address}/healthz", certificate), PATIENCE)
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


def build_config(directory: Path, port: int, ports: Sequence[int], certificate: Certificate | None) -> str:
    """The recommended configuration, and what it leaves to the system's own file."""
    site = (ROOT / "docs" / "nginx.conf").read_text()
    site = re.sub(
        r"( +server 127\.0\.0\.1:\d+;\n)+", "".join(f"    server 127.0.0.1:{each};\n" for each in ports), site
    )
    if certificate:
        site = re.sub(r"(ssl_certificate) [^;]+;", rf"\1 {certificate.file};", site)
        site = re.sub(r"(ssl_certificate_key) [^;]+;", rf"\1 {certificate.key_file};", site)
    else:
        site = re.sub(r" +ssl_\w+ [^;]+;\n", "", site)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port}{' ssl' if certificate else ''};")
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{each}_temp_path {directory}/{each};\n" for each in places)
    return (
        f"daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log; worker_processes 1;\n"
        f"events {{ worker_connections 512; }}\nhttp {{\naccess_log off;\n{paths}{site}}}\n"
    )
