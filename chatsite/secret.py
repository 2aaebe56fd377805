"""A secret that an installation makes for itself, once, and keeps in a file that its owner alone can read."""

import os
from pathlib import Path
from secrets import token_urlsafe


def secret_key_in(path: Path) -> str:
    """Returns the secret in `path`, writing a new one (mode 0600) when there is none."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    # Written aside and linked into place: two processes that start together end with one and the same secret.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token_urlsafe(50))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
