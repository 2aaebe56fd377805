"""Decodes and redraws images, so that only their pixels are kept."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps

from conversations.inspection.findings import FileLimits, Finding, Kind, Refused
from conversations.inspection.metadata import end_jpeg, is_jpeg, strip_metadata

LONG_SIDE: Final = 1568
"""Pixels. Models shrink larger images."""
THUMBNAIL_SIDE: Final = 640
"""Pixels: twice the size on the page, for fine screens."""
LARGEST_PNG: Final = 1_500_000
"""Bytes. An opaque image that is larger without loss is treated as a photograph."""

_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP")
_TOLERATED_ROWS: Final = 16
"""Rows that may be missing at the end of a JPEG: one row of blocks. Browsers show such images too."""


def draw_anew(source: Path, folder: Path, limits: FileLimits) -> Finding:
    """Redraws the image, or the first frame of an animation: upright, in sRGB, no larger than models use."""
    # Our own limit is checked before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None
    drawn, is_drawing = _draw(source.read_bytes(), limits.pixels)
    content, media_type = _encode(drawn, is_drawing=is_drawing)
    (folder / "content").write_bytes(content)
    drawn.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    drawn.save(folder / "thumbnail", "WEBP", quality=80)
    with Image.open(io.BytesIO(content)) as kept:
        width, height = kept.size
    return Finding(
        Kind.IMAGE, media_type, folder / "content", thumbnail=folder / "thumbnail", width=width, height=height
    )


def _draw(content: bytes, most_pixels: int) -> tuple[Image.Image, bool]:
    """Returns the pixels, and whether the format is one for drawings. Metadata that cannot be read is left out."""
    fault: Exception | None = None
    for variant in _variants(content):
        try:
            with Image.open(io.BytesIO(variant), formats=_FORMATS) as image:
                if image.width * image.height > most_pixels:
                    pixels = f"{image.width:,} × {image.height:,}"
                    raise Refused(f"has too many pixels ({pixels}; limit {most_pixels / 1e6:,.0f} million).")
                return _redraw(image), image.format in ("PNG", "GIF")
        except (Refused, MemoryError):
            raise
        except Exception as error:
            fault = fault or error
    raise fault or Refused("is damaged and cannot be read.")


def _variants(content: bytes) -> Iterator[bytes]:
    """Yields what to try in turn. All variants have the same pixels."""
    for keep_useful in (True, False):
        variant = strip_metadata(content, keep_useful=keep_useful)
        yield variant
        if is_jpeg(variant) and _lacks_only_its_end(variant):
            yield end_jpeg(variant)


def _lacks_only_its_end(jpeg: bytes) -> bool:
    """Whether a cut JPEG has nearly all rows. Rows that are missing depend on what replaces them."""
    try:
        one, other = (_decode_grey(end_jpeg(jpeg, filling)) for filling in (b"", b"\x55" * 4096))
    except (OSError, SyntaxError):
        return False
    difference = ImageChops.difference(one, other).getbbox()
    return difference is None or difference[1] >= one.height - min(_TOLERATED_ROWS, one.height // 8)


def _decode_grey(jpeg: bytes) -> Image.Image:
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        image.draft("L", image.size)
        return image.convert("L")


def _redraw(image: Image.Image) -> Image.Image:
    """Copies the pixels alone. It shrinks the image before it rotates it or converts colours, to save memory."""
    profile = image.info.get("icc_profile")
    image.thumbnail((4 * LONG_SIDE, 4 * LONG_SIDE), Image.Resampling.BOX)
    # Reading the orientation of a PNG would decode its pixels, and swallow their error.
    image.load()
    orientation = _orientation(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    has_alpha = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa")
    image = _convert_to_srgb(image, profile, "RGBA" if has_alpha else "RGB")
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    bare.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(bare)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        # Cameras and editors write Exif data that is damaged in every way.
        return 1


def _convert_to_srgb(image: Image.Image, profile: bytes | None, mode: str) -> Image.Image:
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            image = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
        except (ImageCms.PyCMSError, OSError):
            # A damaged profile. The colours are nearly right without it.
            pass
    return image if image.mode == mode else image.convert(mode)


def _encode(image: Image.Image, *, is_drawing: bool) -> tuple[bytes, str]:
    """Encodes drawings and transparent images without loss, and photographs as JPEG."""
    is_opaque = image.mode == "RGB"
    if is_drawing or not is_opaque:
        content = _save(image, "PNG")
        if len(content) <= LARGEST_PNG or not is_opaque:
            return content, "image/png"
    return _save(image, "JPEG", quality=88, optimize=True), "image/jpeg"


def _save(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
