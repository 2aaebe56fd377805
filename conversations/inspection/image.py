"""Decodes and redraws images, so that only their pixels are kept."""

import io
from pathlib import Path
from typing import Final

from PIL import Image, ImageCms, ImageOps

from conversations.inspection.findings import FileLimits, Finding, Kind, Refused

LONG_SIDE: Final = 1568
"""Pixels. Models shrink larger images."""
THUMBNAIL_SIDE: Final = 640
"""Pixels: twice the size on the page, for fine screens."""
LARGEST_PNG: Final = 1_500_000
"""Bytes. An opaque image that is larger without loss is treated as a photograph."""

_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP")


def draw_anew(source: Path, folder: Path, limits: FileLimits) -> Finding:
    """Redraws the image, or the first frame of an animation: upright, in sRGB, no larger than models use."""
    # Our own limit is checked before anything is decoded.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(source, formats=_FORMATS) as image:
        if image.width * image.height > limits.pixels:
            pixels = f"{image.width:,} × {image.height:,}"
            raise Refused(f"has too many pixels ({pixels}; limit {limits.pixels / 1e6:,.0f} million).")
        drawn = _redraw(image)
        is_drawing = image.format in ("PNG", "GIF")
    content, media_type = _encode(drawn, is_drawing=is_drawing)
    (folder / "content").write_bytes(content)
    drawn.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    drawn.save(folder / "thumbnail", "WEBP", quality=80)
    with Image.open(io.BytesIO(content)) as kept:
        width, height = kept.size
    return Finding(
        Kind.IMAGE, media_type, folder / "content", thumbnail=folder / "thumbnail", width=width, height=height
    )


def _redraw(image: Image.Image) -> Image.Image:
    """Copies the pixels alone. It shrinks the image before it rotates it or converts colours, to save memory."""
    profile = image.info.get("icc_profile")
    image.thumbnail((4 * LONG_SIDE, 4 * LONG_SIDE), Image.Resampling.BOX)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    has_alpha = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa")
    image = _convert_to_srgb(image, profile, "RGBA" if has_alpha else "RGB")
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    image = ImageOps.exif_transpose(image)
    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    return bare


def _convert_to_srgb(image: Image.Image, profile: bytes | None, mode: str) -> Image.Image:
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            turned = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            turned = None
        if turned is not None:
            turned.getexif().update(image.getexif())
            image = turned
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
