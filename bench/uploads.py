"""Measures the cost of attachments: memory while many people upload at once, and a page with many images.

    python -m bench.uploads [--people 20] [--megabytes 20] [--images 50]

All people upload a PNG of noise at the same time. The memory of the server and that of the processes that inspect
files are read separately, every 50 ms. This takes about a minute.
"""

import argparse
import io
import os
import socket
import threading
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.pages import REQUESTS, WARM, Seeded, count_queries, time_first_byte
from bench.stand import CSRF_TOKEN, Address, Stand

if TYPE_CHECKING:
    from accounts.models import User

EVERY: Final = 0.05
PIECE: Final = 1 << 16
BOUNDARY: Final = "bench-boundary"
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass
class Memory:
    """Peaks in MB: the server's own memory, and the total of all its child processes at one time."""

    own: float = 0.0
    inspections: float = 0.0


def read_resident(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE_BYTES / 1e6
    except (OSError, IndexError):
        return 0.0


def list_children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    except OSError:
        return found
    return found


def watch(pid: int, memory: Memory, over: threading.Event) -> None:
    while not over.wait(EVERY):
        memory.own = max(memory.own, read_resident(pid))
        memory.inspections = max(memory.inspections, sum(map(read_resident, list_children(pid))))


def make_image(size: int) -> bytes:
    """Makes a PNG of about this many bytes, of noise, which does not compress."""
    from PIL import Image

    side = int((size / 3) ** 0.5)
    drawn = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def upload(address: Address, content: bytes) -> float:
    """Uploads the file. Returns the seconds until the server has accepted it."""
    part = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="files"; filename="noise.png"\r\n\r\n'.encode()
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST /attachments/ HTTP/1.1\r\n{address.headers}x-csrftoken: {CSRF_TOKEN}\r\nconnection: close\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"content-length: {len(part) + len(content) + len(end)}\r\n\r\n"
    )
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", address.port), 300) as connection:
        connection.sendall(head.encode() + part)
        for start in range(0, len(content), PIECE):
            connection.sendall(content[start : start + PIECE])
        connection.sendall(end)
        answer = connection.recv(PIECE)
        while more := connection.recv(PIECE):
            answer += more
    if not answer.startswith(b"HTTP/1.1 201"):
        raise RuntimeError(f"answered {answer[-400:]!r}")
    return time.perf_counter() - began


def measure_uploads(stand: Stand, server: str, people: int, content: bytes) -> None:
    sessions = [stand.sign_in(stand.new_person(f"{server}-{number}")) for number in range(people)]
    with stand.serve(server) as served:
        pid, memory, over = served.process.pid, Memory(), threading.Event()
        upload(Address(served.address.port, sessions[0]), content)
        before = read_resident(pid)
        watching = threading.Thread(target=watch, args=(pid, memory, over))
        watching.start()
        took: list[float] = []
        places = [Address(served.address.port, each) for each in sessions]
        uploading = [threading.Thread(target=lambda at=at: took.append(upload(at, content))) for at in places]
        for each in uploading:
            each.start()
        delays = []
        while any(each.is_alive() for each in uploading):
            delays.append(time_first_byte(served.address, "/healthz"))
            time.sleep(EVERY)
        over.set()
        watching.join()
        delays.sort()
        sizes = f"server {before:.0f} MB before, {memory.own:.0f} MB at most, {read_resident(pid):.0f} MB after"
        waits = f"{median(delays):.0f} ms, at p99 {delays[int(len(delays) * 0.99)]:.0f} ms"
        print(
            f"{server}: {len(took)} of {people} uploads of {len(content) / 1e6:.0f} MB, the last in {max(took):.1f} s"
        )
        print(
            f"  {sizes}; inspections {memory.inspections:.0f} MB at most; others were answered in {waits}", flush=True
        )


def create_gallery(stand: Stand, person: "User", images: int) -> Seeded:
    """Creates a conversation whose messages have this many images in all, ten in each."""
    from conversations.inspection import Kind
    from conversations.models import Attachment, Path
    from conversations.verbs.turns import begin
    from conversations.verbs.writing import add_message

    conversation = begin(person, title=f"{images} images")
    path = Path.through(conversation)
    facts = {"kind": Kind.IMAGE.value, "media_type": "image/jpeg", "size": 300_000, "width": 1568, "height": 1045}
    for start in range(0, images, 10):
        files = [
            Attachment(owner=person, name=f"{number}.jpg", stored="none", **facts)
            for number in range(start, min(images, start + 10))
        ]
        add_message(path.branch, path.find_last_key(), author=person, text="Look at these.", attached=files)
    return Seeded(stand.sign_in(person), conversation.pk, 0, "")


def measure_page(stand: Stand, count: int) -> None:
    sizes = (1, count)
    galleries = [create_gallery(stand, stand.new_person(f"viewer-{images}"), images) for images in sizes]
    with stand.serve() as served:
        for who, images in zip(galleries, sizes, strict=True):
            path = f"/conversations/{who.conversation}/"
            address = Address(served.address.port, who.session)
            times = [time_first_byte(address, path) for _ in range(WARM + REQUESTS)][WARM:]
            queries = count_queries(who, path)
            print(f"page with {images} images: {queries} queries, first byte after {median(times):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--servers", nargs="+", default=["daphne"])
    options = parser.parse_args()
    with Stand() as stand:
        content = make_image(options.megabytes * 1_000_000 - 100_000)
        for server in options.servers:
            measure_uploads(stand, server, options.people, content)
        measure_page(stand, options.images)


if __name__ == "__main__":
    main()
