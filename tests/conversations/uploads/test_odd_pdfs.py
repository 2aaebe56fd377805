"""PDF files that readers open are accepted; a file that needs a password is refused."""

import io
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from conversations.inspection import Kind, Refused
from conversations.inspection.sniff import kind_of
from tests import files
from tests.conversations.uploads.test_odd_images import inspected

PLAIN = files.pdf("Quarterly figures: 4711")
ALGORITHMS = ("RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256")


def encrypted(algorithm: str, user: str, owner: str) -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(PLAIN))
    writer.encrypt(user, owner, algorithm=algorithm)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_pdf_that_opens_without_a_password_is_stored_without_encryption(algorithm: str, tmp_path: Path) -> None:
    with inspected(encrypted(algorithm, "", "of the owner"), tmp_path) as found:
        assert (found.kind, found.pages, found.is_text_whole) == (Kind.PDF, 1, True)
        assert found.text and found.text.read_text() == "Quarterly figures: 4711"
        kept = PdfReader(found.content)
        assert not kept.is_encrypted and kept.pages[0].extract_text() == "Quarterly figures: 4711"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_pdf_that_needs_a_password_is_refused(algorithm: str, tmp_path: Path) -> None:
    with (
        pytest.raises(Refused, match="is protected with a password"),
        inspected(encrypted(algorithm, "of the reader", "of the owner"), tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    "before",
    [b"\xef\xbb\xbf", b"\n", b"\r\n\r\n  ", b"\0\0", b"\x1b%-12345X@PJL\r\n", b"junk \xff\0\n" * 100],
    ids=["mark", "line", "lines", "nul", "printer", "junk"],
)
def test_bytes_before_a_pdf_are_dropped(before: bytes, tmp_path: Path) -> None:
    with inspected(before + PLAIN, tmp_path) as found:
        assert found.kind is Kind.PDF and found.content.read_bytes() == PLAIN
        assert found.text and found.text.read_text() == "Quarterly figures: 4711"


def test_bytes_that_the_offsets_count_are_kept(tmp_path: Path) -> None:
    before = b"% A line by a proxy\n"
    place = PLAIN.rindex(b"startxref\n") + len(b"startxref\n")
    start, end = PLAIN[place:].split(b"\n", 1)
    content = before + PLAIN[:place] + b"%d\n" % (int(start) + len(before)) + end
    with inspected(content, tmp_path) as found:
        assert found.kind is Kind.PDF and found.content.read_bytes() == content
        assert found.text and found.text.read_text() == "Quarterly figures: 4711"


@pytest.mark.parametrize(
    "words",
    [
        "A PDF begins with %PDF-1.7 and ends with %%EOF.\n",
        'if head.startswith(b"%PDF-"):\n    return "pdf"\n',
        "The end is:\nstartxref\n<offset>\n%%EOF\nand the start is %PDF-1.4\n",
    ],
)
def test_a_text_about_pdf_files_is_a_text(words: str, tmp_path: Path) -> None:
    with inspected(words.encode(), tmp_path) as found:
        assert found.kind is Kind.TEXT and found.content.read_text() == words


@pytest.mark.parametrize(("length", "kind"), [(1023, Kind.PDF), (1024, Kind.TEXT)])
def test_the_header_counts_within_the_first_1024_bytes(length: int, kind: Kind, tmp_path: Path) -> None:
    source = tmp_path / "upload"
    source.write_bytes(b"x" * length + PLAIN)
    assert kind_of(source) is kind
