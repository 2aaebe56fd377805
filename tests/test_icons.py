"""Icons are drawn by all threads that render pages."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from chatsite.templatetags.icons import icon, open_icons

THREADS = 8


def test_threads_that_draw_icons_at_the_same_time_all_get_theirs() -> None:
    names = [name.removesuffix(".svg") for name in open_icons().namelist() if name.endswith(".svg")]
    barrier = Barrier(THREADS)

    def draw(first: int) -> list[str]:
        barrier.wait()
        return [icon.__wrapped__(name) for name in names[first:] + names[:first]]

    with ThreadPoolExecutor(THREADS) as threads:
        drawn = list(threads.map(draw, range(0, THREADS * 100, 100)))
    expected = {name: icon.__wrapped__(name) for name in names}
    for first, icons in zip(range(0, THREADS * 100, 100), drawn, strict=True):
        assert icons == [expected[name] for name in names[first:] + names[:first]]
