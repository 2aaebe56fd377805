"""Explains in a sentence why the site cannot start."""

import errno
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection

from chatsite.failures.failure_log import SHORTAGES
from chatsite.failures.faults import UploadsUnavailable

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


FAULTS: Final = (*SHORTAGES, ImproperlyConfigured)
"""The errors that are no fault of ours."""


def describe_start_fault(fault: Exception) -> str:
    """Returns a sentence about one of FAULTS."""
    match fault:
        case UploadsUnavailable():
            return str(fault)
        case OSError():
            return describe_file_fault(fault)
        case Error():
            return describe_database_fault(fault)
        case MemoryError():
            return "There is not enough memory to start chatsite."
    return str(fault)


def describe_file_fault(fault: OSError) -> str:
    path = fault.filename or "its data"
    if fault.errno in FULL:
        return f"The disk is full: chatsite could not write {path}. Free some space, and start again."
    if fault.errno in FORBIDDEN:
        return (
            f"chatsite cannot write {path} ({fault.strerror}). Let the user who runs chatsite write there, "
            "or set DATA_DIR to another directory."
        )
    return f"chatsite could not start: {fault}"


def describe_database_fault(fault: Error) -> str:
    """SQLite's words for the same fault differ from case to case, but its codes do not."""
    path = connection.settings_dict["NAME"]
    words = " ".join(str(fault).split())
    advice = {
        "FULL": f"The disk is full: chatsite could not write {path}. Free some space, and start again.",
        "READONLY": f"chatsite cannot write {path}. Let the user who runs chatsite write the file and its directory.",
        "CANTOPEN": f"Could not connect to the database: {path} cannot be opened. Check that its directory exists, "
        "and that the user who runs chatsite can write there.",
        "BUSY": f"The database {path} is locked by another program. Stop that program, and start again.",
        "LOCKED": f"The database {path} is locked by another program. Stop that program, and start again.",
        "NOTADB": f"{path} is not an SQLite database. Restore a backup, or move the file away to start with a new one.",
        "CORRUPT": f"The database {path} is damaged. Restore a backup.",
        "IOERR": f"The database {path} could not be read or written ({words}). Check the disk and its free space.",
    }
    code = getattr(fault.__cause__, "sqlite_errorname", "").removeprefix("SQLITE_").partition("_")[0]
    return advice.get(code, f"Could not connect to the database: {words}")
