"""What crashes and interrupted commands have left."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from django.db.models import Q
from django.utils.timezone import now

from chatsite.doctor.checks.processes import count_living
from chatsite.doctor.findings import Diagnosis, broken, count, look_at, ok, split
from chatsite.installation.data_lock import try_lock
from chatsite.installation.unfinished import UNFINISHED_RESTORE, describe_unfinished_restore
from chatsite.process import lease
from conversations import uploads
from conversations.models import Attachment, Generation
from ledger.models import Entry

SOON: Final = timedelta(seconds=60)
"""In which running processes take over what others have lost."""
NEW: Final = 3600
"""Seconds in which a file or folder may belong to a command that has just begun."""
MOST_FILES: Final = 100_000
FEW: Final = 100


def check_answers() -> Iterator[Diagnosis]:
    lost = Q() if not count_living() else lease.is_abandoned() & Q(started_at__lt=now() - SOON)
    answers, calls = Generation.objects.running().filter(lost).count(), Entry.objects.open().filter(lost).count()
    if answers or calls:
        yield look_at(
            f"A process that has ended left {count(answers, 'unfinished answer')} and {count(calls, 'open call')}.",
            "Start the site, or wait for a minute if it runs: it marks the answers as interrupted and books the calls.",
        )
    else:
        yield ok("No answer and no call is without a process.")


def check_restore() -> Iterator[Diagnosis]:
    if fault := describe_unfinished_restore():
        yield broken(*split(fault))


def check_partial_files() -> Iterator[Diagnosis]:
    for path in settings.DATA_DIR.iterdir():
        is_partial = path.name.endswith((".partial", ".restoring")) and path.name != UNFINISHED_RESTORE
        if is_partial and path.stat().st_mtime < time.time() - NEW and not is_locked(path):
            yield look_at(f"{path} is the rest of a backup or restore that did not finish.", "Delete it.")
        elif path.name.endswith(".replaced"):
            yield look_at(
                f"{path} is a key from before a restore.",
                "Delete it, unless another database still needs that key.",
            )


def is_locked(path: Path) -> bool:
    """Whether a backup is being written there, which may take hours."""
    file = os.open(path, os.O_RDONLY)
    try:
        return not try_lock(file, is_shared=True)
    finally:
        os.close(file)


def check_files() -> Iterator[Diagnosis]:
    if not isinstance(default_storage, FileSystemStorage):
        return
    known = set(Attachment.objects.values_list("stored", flat=True)[: MOST_FILES + 1])
    if len(known) > MOST_FILES:
        yield ok(f"There are more than {MOST_FILES:,} attached files. `manage.py backup` reports missing ones.")
        return
    missing = sorted(name for name in known if not Path(settings.MEDIA_ROOT, name).exists())
    if len(missing) <= FEW:
        # The file of a message that was deleted meanwhile is not missing.
        missing = sorted(set(Attachment.objects.filter(stored__in=missing).values_list("stored", flat=True)))
    if missing:
        yield broken(
            f"{count(len(missing), 'attached file')} of the database {'is' if len(missing) == 1 else 'are'} missing in "
            f"{settings.MEDIA_ROOT}, such as {missing[0]}.",
            "Copy them from a backup.",
        )
    unknown = sum(uploads.strip_suffix(name) not in known and is_old(name) for name in uploads.list_stored_files())
    if unknown:
        yield look_at(
            f"{settings.MEDIA_ROOT} has {count(unknown, 'file')} without a message.",
            "Do nothing: a running site removes such files once an hour.",
        )
    if not missing and not unknown:
        yield ok(f"{count(len(known), 'attached file')}: none is missing, and none is left over.")


def is_old(name: str) -> bool:
    try:
        return default_storage.get_modified_time(name) < now() - uploads.GRACE
    except FileNotFoundError:
        return False
