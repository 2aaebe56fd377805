"""Generates the site's secret once, in a file that only its owner can read."""

import os
from pathlib import Path
from secrets import token_urlsafe

created_secrets: set[Path] = set()
"""Those that did not exist before this process."""


def read_or_create_secret(path: Path) -> str:
    """Returns the secret in `path`. If the file is missing, creates it with a new secret (mode 0600)."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    # Written to a draft and then linked, so that two processes that start together use the same secret.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token_urlsafe(50))
        os.link(draft, path)
        created_secrets.add(path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text().strip()
