"""Images that browsers show are accepted, whatever their metadata; damaged pixels are refused."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from accounts.models import User
from conversations.inspection import FileLimits, Finding, Kind, Refused, inspect_file
from conversations.inspection.metadata import strip_metadata
from conversations.models import Attachment, Conversation
from conversations.uploads import save_image
from tests import files
from tests.conversations.asking import Opening
from tests.conversations.attaching import attach_and_send

LIMITS: Final = FileLimits(size=20_000_000, text_size=500_000, pixels=50_000_000, pages=100)
SIZE: Final = (400, 300)
PNG: Final = files.image("PNG", SIZE)
JPEG: Final = files.image("JPEG", SIZE)
WEBP: Final = files.image("WEBP", SIZE)
GIF: Final = files.image("GIF", SIZE, mode="P", colour=3)


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(*chunks: bytes) -> bytes:
    """A PNG with chunks before its pixels."""
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments: bytes) -> bytes:
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def exif(*entries: bytes) -> bytes:
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0"


def packed(size: int) -> bytes:
    return zlib.compress(b"x" * size)


def webp(declared: int, rest: bytes = b"") -> bytes:
    return WEBP[:4] + struct.pack("<I", declared) + WEBP[8:] + rest


UPRIGHT: Final = b"\x12\x01\x03\0\x01\0\0\0\x01\0\0\0"
ROTATED: Final = b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
META: Final = files.image("WEBP", SIZE, exif=exif(UPRIGHT), icc_profile=b"x" * 100, xmp=b"x" * 3_000_000)

SHOWN: Final = {
    "png long zTXt": png(chunk(b"zTXt", b"c\0\0" + packed(3_000_000))),
    "png long zTXt after the pixels": PNG[:-12] + chunk(b"zTXt", b"c\0\0" + packed(3_000_000)) + PNG[-12:],
    "png long iTXt": png(chunk(b"iTXt", b"c\0\1\0\0\0" + packed(3_000_000))),
    "png long tEXt": png(chunk(b"tEXt", b"c\0" + b"x" * 5_000_000)),
    "png much tEXt": png(*(chunk(b"tEXt", b"c%d\0" % number + b"x" * 900_000) for number in range(20))),
    "png zTXt bomb": png(chunk(b"zTXt", b"c\0\0" + packed(1 << 28))),
    "png long iCCP": png(chunk(b"iCCP", b"c\0\0" + packed(3_000_000))),
    "png junk iCCP": png(chunk(b"iCCP", b"c\0\5junk")),
    "png wrong checksum of iCCP": png(chunk(b"iCCP", b"c\0\0" + packed(9), 0)),
    "png wrong checksum of gAMA": png(chunk(b"gAMA", b"\0\0\0\1", 0)),
    "png wrong checksum of tRNS": png(chunk(b"tRNS", b"\0\0\0\0\0\0", 0)),
    **{f"png short {kind.decode()}": png(chunk(kind, b"")) for kind in (b"gAMA", b"pHYs", b"cHRM", b"sRGB", b"tRNS")},
    "png junk eXIf": png(chunk(b"eXIf", b"junkjunk")),
    "png odd acTL": png(chunk(b"acTL", b"")),
    "png junk after the end": PNG + b"junk" * 100_000,
    "png second image after the end": PNG + files.image("PNG", (9, 9)),
    "png without its end": PNG[:-12],
    "png half an end": PNG[:-5],
    "png wrong checksum of the end": PNG[:-4] + b"junk",
    "jpeg long comments": jpeg(*[segment(0xFE, b"x" * 65_000)] * 40),
    "jpeg junk Exif": jpeg(segment(0xE1, b"Exif\0\0junkjunk")),
    "jpeg cut Exif": jpeg(segment(0xE1, b"Exif\0\0" + exif(UPRIGHT)[:13])),
    "jpeg Exif of a wrong type": jpeg(segment(0xE1, b"Exif\0\0" + exif(UPRIGHT, b"\x0f\1\5\0\1\0\0\0\x06\0\0\0"))),
    "jpeg short profile": jpeg(segment(0xE2, b"ICC_PROFILE\0")),
    "jpeg junk profile": jpeg(segment(0xE2, b"ICC_PROFILE\0\1\1junk")),
    "jpeg half a profile": jpeg(segment(0xE2, b"ICC_PROFILE\0\1\2junk")),
    "jpeg junk pictures": jpeg(segment(0xE2, b"MPF\0junkjunk")),
    "jpeg short Adobe": jpeg(segment(0xEE, b"Adobe")),
    "jpeg short JFIF": jpeg(segment(0xE0, b"JFIF")),
    "jpeg junk Photoshop": jpeg(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4")),
    "jpeg fill bytes": JPEG[:2] + b"\xff" * 100 + JPEG[2:],
    "jpeg junk after the end": JPEG + b"junk" * 100_000,
    "jpeg without its end": JPEG[:-2],
    "jpeg half an end": JPEG[:-1],
    "jpeg a few bytes short": JPEG[:-8],
    "jpeg progressive without its end": files.image("JPEG", SIZE, progressive=True)[:-2],
    "gif long comment": files.image("GIF", SIZE, mode="P", colour=3, comment=b"x" * 3_000_000),
    "gif without its end": GIF[:-1],
    "gif without the end of its pixels": GIF[:-2],
    "gif junk after the end": GIF + b"junk" * 100_000,
    "webp long metadata": META,
    "webp cut metadata": META[:-20],
    "webp junk Exif": files.image("WEBP", SIZE, exif=b"junkjunk"),
    "webp junk after the end": WEBP + b"junk" * 100_000,
    "webp claims more": webp(len(WEBP) + 100),
    "webp claims less": webp(len(WEBP) - 12),
    "webp claims nothing": webp(0),
    "webp unknown chunk": webp(len(WEBP) + 4, b"JUNK\4\0\0\0abcd"),
}

_noise: Final = Image.effect_noise(SIZE, 50)
DAMAGED: Final = {
    "png half": files.encode(_noise, "PNG")[:-50_000],
    "png short pixels": files.png_that_claims(*SIZE),
    "png junk pixels": PNG[:33] + chunk(b"IDAT", b"junk" * 100) + PNG[-12:],
    "png wrong checksum of the header": PNG[:29] + b"junk" + PNG[33:],
    "png no pixels": PNG[:33] + PNG[-12:],
    "jpeg half": files.encode(_noise, "JPEG")[:-20_000],
    "jpeg a tenth short": (content := files.encode(_noise, "JPEG"))[: -len(content) // 10],
    "jpeg head": JPEG[:200],
    "jpeg junk": b"\xff\xd8\xff" + b"junk" * 100,
    "gif half": files.encode(_noise, "GIF")[:-50_000],
    "webp half": files.encode(_noise, "WEBP")[:-10_000],
    "webp no pixels": WEBP[:12],
}


@contextmanager
def inspected(content: bytes, folder: Path) -> Iterator[Finding]:
    source = folder / "upload"
    source.write_bytes(content)
    with inspect_file(source, LIMITS) as found:
        yield found


@pytest.mark.parametrize("name", SHOWN)
def test_images_that_browsers_show_are_accepted(name: str, tmp_path: Path) -> None:
    with inspected(SHOWN[name], tmp_path) as found:
        assert found.kind is Kind.IMAGE and (found.width, found.height) == SIZE
        shown = Image.open(found.content).convert("RGB")
        reference = files.decode({"p": PNG, "j": JPEG, "g": GIF, "w": WEBP}[name[0]]).convert("RGB")
        for place in ((10, 10), (350, 250)):
            pairs = zip(shown.getpixel(place), reference.getpixel(place), strict=True)  # type: ignore[arg-type]
            assert all(abs(one - other) < 12 for one, other in pairs)


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pixels_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is damaged"), inspected(DAMAGED[name], tmp_path):
        pass


@pytest.mark.parametrize(
    "content",
    [
        png(chunk(b"eXIf", exif(ROTATED)), chunk(b"zTXt", b"c\0\0" + packed(3_000_000))),
        jpeg(segment(0xE1, b"Exif\0\0" + exif(ROTATED)), segment(0xEE, b"Adobe")),
        jpeg(segment(0xE1, b"Exif\0\0" + exif(ROTATED, b"\x0f\1\5\0\1\0\0\0\x06\0\0\0")))[:-2],
        files.image("WEBP", SIZE, exif=exif(ROTATED), xmp=b"x" * 3_000_000)[:-20],
    ],
    ids=["png", "jpeg", "cut jpeg", "webp"],
)
def test_bad_metadata_does_not_cost_the_orientation(content: bytes, tmp_path: Path) -> None:
    with inspected(content, tmp_path) as found:
        assert (found.width, found.height) == SIZE[::-1]


def test_bad_metadata_does_not_cost_the_transparency(tmp_path: Path) -> None:
    content = files.encode(Image.new("P", SIZE), "PNG", transparency=0)
    with inspected(content[:33] + chunk(b"zTXt", b"c\0\0" + packed(3_000_000)) + content[33:], tmp_path) as found:
        assert Image.open(found.content).getpixel((200, 100))[3] == 0  # type: ignore[index]


@given(st.sampled_from([PNG, JPEG, WEBP, GIF]), st.binary(max_size=60), st.integers(0, 700), st.booleans())
def test_metadata_of_any_bytes_is_stripped_without_an_error(
    content: bytes, junk: bytes, place: int, keep_useful: bool
) -> None:
    strip_metadata(content[:place] + junk + content[place:], keep_useful=keep_useful)
    strip_metadata(content[:place] + junk, keep_useful=keep_useful)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["png wrong checksum of iCCP", "png long zTXt", "jpeg without its end"])
async def test_images_of_tools_are_read_in_the_same_way(
    browser: Opening, ada: User, conversation: Conversation, name: str
) -> None:
    message = (await attach_and_send(browser, ada, conversation, "a.md", b"A")).message
    saved = await sync_to_async(save_image)(SHOWN[name], "Draw", message, ada)
    assert (saved.width, saved.height) == SIZE and await Attachment.objects.filter(kind="image").acount() == 1
