"""What a running tool reports is shown on the card of its call."""

import asyncio

import pytest

from conversations.models import State
from tests.conversations.verbs.desk import Desk
from tests.viewers import Viewer

pytestmark = pytest.mark.django_db(transaction=True)


def notes(tab: Viewer) -> list[str]:
    return [note.text_content() for note in tab.page.find(".tool-note")]


async def test_viewers_see_the_progress_of_a_running_tool(desk: Desk) -> None:
    await desk.use("gradual")
    desk.reply_with_calls(("toolu_1", "drawer__gradual", {"name": "seen"}))
    desk.server.say("It is done.")
    reply = await desk.ask()
    await desk.tab.until(lambda page: any(note.text_content() for note in page.find(".tool-note")))
    assert notes(desk.tab) == ["Reading <pages>, 25%"]
    late = await desk.browser.open(desk.conversation)
    await late.until(lambda page: any(note.text_content() for note in page.find(".tool-note")))
    assert notes(late) == ["Reading <pages>, 25%"]
    await asyncio.to_thread(desk.drawer.end, "seen")
    await desk.until(reply, State.COMPLETE)
    assert (notes(desk.tab), desk.progress) == ([], ["done"])


async def test_stopping_right_after_progress_shows_nothing_more(desk: Desk) -> None:
    await desk.use("gradual")
    desk.reply_with_calls(("toolu_1", "drawer__gradual", {"name": "stopped-early"}))
    reply = await desk.ask()
    await desk.drawer.saw("began", "stopped-early")
    await desk.stop()
    await desk.drawer.saw("cancelled", "stopped-early")
    await desk.until(reply, State.STOPPED)
    assert (notes(desk.tab), desk.progress) == ([], ["dropped"])
