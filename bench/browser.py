"""Measures what an answer costs the browser: main-thread time and bytes, by shape and length of the answer.

    python -m bench.browser [--shapes paragraphs list code table] [--tokens 1000 4000 8000] [--rate 200]

`first` and `last` are of the first and the last quarter of an answer. If they are equal, the cost of a frame does not
depend on the length of the answer. `end` is the replacement of the whole message at the end. These are processor time.
`longest` (the longest task) and `in long` (the share of time in tasks above 50 ms) are time on the clock, which grows
when the machine has other work. This takes about six minutes.
"""

import argparse
import asyncio
import shutil
import time
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import Browser, CDPSession, async_playwright

from bench.answers import SHAPES
from bench.load import Tab, Tally, listen, speak
from bench.stand import Address, Stand
from bench.upstream import Plan

BROWSERS: Final = ("chromium-headless-shell", "chromium", "google-chrome")
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
STAMPED: Final = 5
CALM: Final = 1.0
"""Seconds after which the browser has certainly painted what arrived."""
WATCH_LONG_TASKS: Final = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.longTasks.push(task.duration);
}).observe({ type: "longtask", buffered: true });
"""
HEAD: Final = (
    f"{'shape':11} {'tokens':>6} {'ms/token':>9} {'first':>6} {'last':>6} {'script':>7} {'style':>6} {'layout':>7} "
    f"{'end, ms':>8} {'longest':>8} {'in long':>8} {'frames':>7} {'bytes/token':>12}"
)


@dataclass(frozen=True, slots=True)
class MainThreadTime:
    """Processor time of the main thread in ms, since the page was created."""

    task: float
    script: float
    style: float
    layout: float

    @classmethod
    async def now(cls, devtools: CDPSession) -> "MainThreadTime":
        answer: Any = await devtools.send("Performance.getMetrics")
        values = {metric["name"]: metric["value"] * 1e3 for metric in answer["metrics"]}
        names = ("TaskDuration", "ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
        return cls(*(values[name] for name in names))


async def measure(stand: Stand, browser: Browser, address: Address, conversation: int, plan: Plan, model: int) -> str:
    """Shows one answer on one page. Returns a row of the table."""
    context = await browser.new_context(viewport={"width": 1200, "height": 800})
    await context.add_cookies(
        [{"name": name, "value": value, "url": f"http://{address.host}"} for name, value in address.cookies.items()]
    )
    page = await context.new_page()
    await page.add_init_script(WATCH_LONG_TASKS)
    await page.goto(f"http://{address.host}/conversations/{conversation}/")
    await page.wait_for_selector("html[data-connection=open]", state="attached")
    devtools = await context.new_cdp_session(page)
    # Processor time, because time on the clock grows when the machine has other work.
    await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    await asyncio.sleep(CALM)
    await page.evaluate("window.longTasks.length = 0")

    # A second tab without a browser counts frames and bytes, because counting on the page would cost it time.
    tally = Tally(stand.epoch)
    tab = await listen(address, conversation, tally)
    marks = [await MainThreadTime.now(devtools)]
    began = time.monotonic()
    await speak(address, [conversation], model)
    for share in (0.25, 0.75, 0.98):
        await wait_for_stamps(tab, tally, plan.count * share / STAMPED)
        marks.append(await MainThreadTime.now(devtools))
    await asyncio.wait_for(tab.is_complete.wait(), 30)
    await asyncio.sleep(CALM)
    took = time.monotonic() - began
    marks.append(await MainThreadTime.now(devtools))
    tasks: list[float] = await page.evaluate("window.longTasks")
    await page.wait_for_selector("article[data-role=assistant][data-state=complete]", state="attached")
    await context.close()

    start, quarter, three_quarters, before_end, end = marks
    whole, quarter_tokens = end.task - start.task, plan.count / 4
    last = (before_end.task - three_quarters.task) / (plan.count * 0.23)
    replacement = end.task - before_end.task - last * plan.count * 0.02
    return (
        f"{plan.shape:11} {plan.count:6} {whole / plan.count:9.2f} "
        f"{(quarter.task - start.task) / quarter_tokens:6.2f} "
        f"{last:6.2f} "
        f"{(end.script - start.script) / plan.count:7.2f} {(end.style - start.style) / plan.count:6.2f} "
        f"{(end.layout - start.layout) / plan.count:7.2f} {replacement:8.0f} "
        f"{max(tasks, default=0):8.0f} {sum(tasks) / 1e3 / took:8.1%} {tally.frames:7} {tally.bytes / plan.count:12.0f}"
    )


async def wait_for_stamps(tab: Tab, tally: Tally, stamps: float) -> None:
    while tally.stamps < stamps and not tab.is_complete.is_set():
        if tab.is_closed:
            raise RuntimeError("the server closed the tab")
        await asyncio.sleep(0.02)


async def run(stand: Stand, address: Address, rows: list[tuple[int, Plan, int]]) -> None:
    async with async_playwright() as playwright:
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        for conversation, plan, model in rows:
            patience = plan.count / plan.rate * 3 + 60
            work = measure(stand, browser, address, conversation, plan, model)
            print(await asyncio.wait_for(work, patience), flush=True)
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["paragraphs", "list", "code", "table"])
    parser.add_argument("--tokens", nargs="+", type=int, default=[1000, 4000, 8000])
    parser.add_argument("--rate", type=int, default=200, help="tokens per second")
    options = parser.parse_args()
    with Stand() as stand:
        plans = [Plan(shape, count, options.rate, STAMPED) for shape in options.shapes for count in options.tokens]
        conversations, models = stand.create_conversations(len(plans)), [stand.create_model(plan) for plan in plans]
        with stand.serve() as served:
            print(HEAD, flush=True)
            asyncio.run(run(stand, served.address, list(zip(conversations, plans, models, strict=True))))


if __name__ == "__main__":
    main()
