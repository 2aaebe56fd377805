"""Caddy with the configuration that docs/ recommends, in front of processes of a test."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.browser.site import ROOT, free_port
from tests.certificates import Certificate
from tests.installation import is_reachable, until

PROGRAM = Path(sys.executable).with_name("caddy")
PATIENCE = 20.0


@contextmanager
def caddy(directory: Path, ports: Sequence[int], certificate: Certificate) -> Iterator[str]:
    """Serves the processes at these ports with TLS. Yields the common address."""
    address = f"https://{certificate.host}:{free_port()}"
    config = directory / "Caddyfile"
    config.write_text(build_config(address, ports, certificate))
    subprocess.run([PROGRAM, "validate", "--config", config], check=True, capture_output=True)
    homes = {name: str(directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    process = subprocess.Popen([PROGRAM, "run", "--config", config], env=homes, stderr=subprocess.DEVNULL)
    try:
        until(lambda: is_reachable(f"{address}/healthz", certificate), PATIENCE)
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


def build_config(address: str, ports: Sequence[int], certificate: Certificate) -> str:
    """The recommended configuration, without getting a certificate and without ports that others may use."""
    site = (ROOT / "docs" / "Caddyfile").read_text()
    site = re.sub(r"127\.0\.0\.1:8001 127\.0\.0\.1:8002", " ".join(f"127.0.0.1:{port}" for port in ports), site)
    own = f"{address} {{\n\tbind 127.0.0.1\n\ttls {certificate.file} {certificate.key_file}\n"
    return "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + site.replace("chat.example.org {\n", own)
