"""Files for tests: valid ones, and hostile ones that claim to be something else."""

import io
import struct
import zlib
from base64 import b64encode

from PIL import Image, ImageDraw
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def image(
    form: str = "PNG", size: tuple[int, int] = (60, 40), colour: object = "teal", mode: str = "RGB", **options: object
) -> bytes:
    """A plain image with a stripe on the left."""
    drawn = Image.new(mode, size, colour)  # type: ignore[arg-type]
    ImageDraw.Draw(drawn).rectangle((0, 0, size[0] // 4, size[1]), fill=0)
    return encode(drawn, form, **options)


def encode(drawn: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    drawn.save(buffer, form, **options)
    return buffer.getvalue()


def decode(content: bytes) -> Image.Image:
    drawn = Image.open(io.BytesIO(content))
    drawn.load()
    return drawn


def to_base64(content: bytes) -> str:
    return b64encode(content).decode()


def pdf(*pages: str, password: str = "") -> bytes:
    """A PDF with one page for each text."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(200, 200)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password:
        writer.encrypt(password)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that claim to be an image of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def pdf_bomb(size: int) -> bytes:
    """A PDF page whose content unpacks to `size` bytes."""
    packer, packed = zlib.compressobj(9), []
    for _ in range(size >> 20):
        packed.append(packer.compress(b" " * (1 << 20)))
    stream = b"".join(packed) + packer.flush()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(stream), stream),
    ]
    content, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 5\n0000000000 65535 f \n%strailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
    return content + end % (table, len(content))
