"""The archive of a backup proves that it is whole, and contains nothing but plain files."""

import io
import tarfile
from collections.abc import Callable

import pytest

from chatsite.backups.archive import MANIFEST, SUMS, ArchiveWriter, BackupFault, Damaged, make_header, read_members

CONTENT = {
    MANIFEST: b"{}",
    "database": bytes(range(256)) * 3,
    "uploads/attachments/0a/0a1b": b"",
    "sealing_key": b"k" * 512,
}


def pack(content: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = ArchiveWriter(file, 1_700_000_000)
    for name, part in content.items():
        writer.add(name, len(part), [part])
    writer.finish()
    return file.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    return {member.name: b"".join(member.chunks) for member in read_members(io.BytesIO(archive))}


def test_what_was_written_is_read() -> None:
    assert unpack(pack(CONTENT)) == CONTENT


def test_members_that_nobody_reads_are_verified() -> None:
    whole = pack(CONTENT)
    assert [member.name for member in read_members(io.BytesIO(whole))] == list(CONTENT)
    with pytest.raises(Damaged):
        list(read_members(io.BytesIO(whole.replace(bytes(range(256)), bytes(256), 1))))


def test_tar_reads_a_backup_too() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(CONTENT))) as archive:
        assert archive.getnames() == [*CONTENT, SUMS]
        assert {(info.mode, info.type) for info in archive} == {(0o600, tarfile.REGTYPE)}
        [database, sums] = [archive.extractfile(name) for name in ("database", SUMS)]
        assert database and database.read() == CONTENT["database"]
        assert sums and sums.read().decode().splitlines()[0].endswith("  manifest.json")


def test_a_change_of_any_byte_is_noticed() -> None:
    whole = pack(CONTENT)
    for place in range(len(whole)):
        for flip in (0x01, 0x80):
            with pytest.raises(Damaged):
                unpack(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])


def test_a_cut_anywhere_is_noticed() -> None:
    whole = pack(CONTENT)
    for length in range(0, len(whole), 7):
        with pytest.raises(Damaged):
            unpack(whole[:length])
    with pytest.raises(Damaged):
        unpack(whole + b"\0")


def test_a_source_that_changes_while_it_is_read_is_noticed() -> None:
    for promised in (3, 5):
        with pytest.raises(BackupFault, match="changed while it was read"):
            ArchiveWriter(io.BytesIO(), 0).add("database", promised, [b"four"])


def test_a_database_of_many_gigabytes_has_a_header() -> None:
    header = make_header("database", 40 << 30, 0)
    assert len(header) == tarfile.BLOCKSIZE
    with pytest.raises(Damaged, match="its end is missing"):
        next(read_members(io.BytesIO(make_header(MANIFEST, 40 << 30, 0)))).chunks.__next__()


NAMES = ["../x", "/x", "uploads/../../x", "uploads//x", "a\\b", "C:x", ".env", "uploads/.x", "new\nline", "x/"]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_that_leaves_its_directory_is_refused(name: str) -> None:
    with pytest.raises(Damaged):
        unpack(pack({MANIFEST: b"{}", name: b"x"}))


def change_type(kind: bytes) -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, "/etc/passwd"

    return change


def set_executable(info: tarfile.TarInfo) -> None:
    info.mode = 0o4755


def name_at_length(info: tarfile.TarInfo) -> None:
    info.name = "x" * 300


KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]


@pytest.mark.parametrize("change", [*map(change_type, KINDS), set_executable, name_at_length])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_links_devices_and_whatever_else_tar_knows_are_refused(
    change: Callable[[tarfile.TarInfo], None], form: int
) -> None:
    info = tarfile.TarInfo("database")
    change(info)
    try:
        header = info.tobuf(form)
    except ValueError:
        return  # The format cannot express it.
    whole = pack({MANIFEST: b"{}"})
    with pytest.raises(Damaged):
        unpack(whole[: 2 * tarfile.BLOCKSIZE] + header + whole[2 * tarfile.BLOCKSIZE :])


@pytest.mark.parametrize("order", [["database"], ["database", MANIFEST], []])
def test_the_manifest_comes_first(order: list[str]) -> None:
    with pytest.raises(Damaged):
        unpack(pack({name: b"{}" for name in order}))


def test_a_member_cannot_come_twice() -> None:
    whole = pack({MANIFEST: b"{}", "database": b"x"})
    member = whole[2 * tarfile.BLOCKSIZE : 4 * tarfile.BLOCKSIZE]
    with pytest.raises(Damaged):
        unpack(whole[: 2 * tarfile.BLOCKSIZE] + member + whole[2 * tarfile.BLOCKSIZE :])
