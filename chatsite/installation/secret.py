"""Generates the site's secret once, in a file that only its owner can read."""

import os
from pathlib import Path
from secrets import token_urlsafe

from django.core.exceptions import ImproperlyConfigured

created_secrets: set[Path] = set()
"""Those that did not exist before this process."""


def read_or_create_secret(path: Path) -> str:
    """Returns the secret in `path`. If the file is missing, creates it with a new secret (mode 0600).

    Raises ImproperlyConfigured if the file contains no secret.
    """
    if path.exists():
        return require_secret(path)
    # Written to a draft and then linked, so that two processes that start together use the same secret.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token_urlsafe(50))
            file.flush()
            # After a power failure, an empty file could be left.
            os.fsync(file.fileno())
        os.link(draft, path)
        created_secrets.add(path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return require_secret(path)


def require_secret(path: Path) -> str:
    """Returns the secret in `path`. Raises ImproperlyConfigured if there is none."""
    if secret := read_secret(path):
        return secret
    raise ImproperlyConfigured(
        f"{path} contains no secret. Restore the file from a backup, or delete it to get a new secret."
    )


def read_secret(path: Path) -> str:
    """Returns the secret in `path`, or "" if the file is empty or is not a text."""
    try:
        return path.read_text().strip()
    except UnicodeDecodeError:
        return ""
