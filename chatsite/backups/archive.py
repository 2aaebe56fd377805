"""The file of a backup: a tar archive that `tar` and `sha256sum` can read, and that proves that it is whole.

The first member is `manifest.json`, the last one `SHA256SUMS`. The reader accepts only what the writer writes: there
are no links, devices, sparse files or long names, and every byte is checked.
"""

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
BLOCK: Final = tarfile.BLOCKSIZE
END: Final = bytes(2 * BLOCK)
CHUNK: Final = 1 << 20
_USTAR_LIMIT: Final = 8**11
"""From this size on, a header needs the GNU format, which has no room for a long path."""


class BackupFault(Exception):
    """There is no backup, or it was not restored. The message is a sentence."""


class Damaged(BackupFault):
    """The archive is not whole, or it is not a backup of a site."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The backup cannot be used: {reason}.")


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    size: int
    chunks: Iterator[bytes]
    """The content. Read it before the next member. It is verified only when all members have been read."""


class ArchiveWriter:
    def __init__(self, file: BinaryIO, moment: int) -> None:
        """`moment` is the time of all members, in seconds since the epoch."""
        self._file, self._moment = file, moment
        self._sums: dict[str, str] = {}

    def add(self, name: str, size: int, content: Iterable[bytes]) -> None:
        """Adds a file of `size` bytes. Raises BackupFault if the content has another size."""
        self._file.write(make_header(name, size, self._moment))
        digest, written = hashlib.sha256(), 0
        for chunk in content:
            written += len(chunk)
            digest.update(chunk)
            self._file.write(chunk)
        if written != size:
            raise BackupFault(f"{name} changed while it was read. Try again.")
        self._file.write(make_padding(size))
        self._sums[name] = digest.hexdigest()

    def finish(self) -> None:
        sums = format_sums(self._sums)
        self._file.write(make_header(SUMS, len(sums), self._moment) + sums + make_padding(len(sums)) + END)
        self._file.flush()


def read_members(file: BinaryIO) -> Iterator[Member]:
    """Yields all members but SHA256SUMS. Raises Damaged, at the latest after the last member."""
    sums: dict[str, str] = {}
    while True:
        name, size = read_header(file)
        if name in sums or (name == MANIFEST) == bool(sums):
            raise Damaged("its files are not in the order of a backup")
        if name == SUMS:
            return check_end(file, size, sums)
        digest = hashlib.sha256()
        chunks = read_chunks(file, size, digest)
        yield Member(name, size, chunks)
        for _ in chunks:
            pass
        read_padding(file, size)
        sums[name] = digest.hexdigest()


def read_header(file: BinaryIO) -> tuple[str, int]:
    block = read_exactly(file, BLOCK)
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        is_own = info.size >= 0 and make_header(info.name, info.size, int(info.mtime)) == block
    except (tarfile.HeaderError, ValueError) as error:
        raise Damaged("it is damaged or not from chatsite") from error
    if not is_own or not is_plain(info.name):
        raise Damaged("it contains something that chatsite does not write into a backup")
    return info.name, info.size


def is_plain(name: str) -> bool:
    """Whether a path stays below the directory to which it is relative, on every system, and hides nothing."""
    parts = name.split("/")
    return all(part and not part.startswith(".") for part in parts) and name.isprintable() and not {*name} & {*"\\:"}


def read_chunks(file: BinaryIO, size: int, digest: "hashlib._Hash") -> Iterator[bytes]:
    while size:
        chunk = read_exactly(file, min(size, CHUNK))
        size -= len(chunk)
        digest.update(chunk)
        yield chunk


def check_end(file: BinaryIO, size: int, sums: dict[str, str]) -> None:
    expected = format_sums(sums)
    found = read_exactly(file, min(size, len(expected)))
    for line, other in zip(expected.splitlines(), found.splitlines(), strict=False):
        if line != other:
            raise Damaged(f"{line.decode().partition('  ')[2]} is not as it was backed up")
    if size != len(expected):
        raise Damaged("files are missing")
    read_padding(file, size)
    if read_exactly(file, len(END)) != END or file.read(1):
        raise Damaged("it has something after its end")


def read_padding(file: BinaryIO, size: int) -> None:
    if any(read_exactly(file, len(make_padding(size)))):
        raise Damaged("it is damaged between two files")


def read_exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise Damaged("its end is missing")
    return content


def make_header(name: str, size: int, moment: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, moment, 0o600
    return info.tobuf(tarfile.USTAR_FORMAT if size < _USTAR_LIMIT else tarfile.GNU_FORMAT, "utf-8", "strict")


def make_padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def format_sums(sums: dict[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
