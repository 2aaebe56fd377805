"""Tools take up room in a model's memory: they are counted with what is said."""

import pytest

from accounts.models import User
from conversations.models import Conversation
from tests.conversations.asking import Opening
from tests.conversations.verbs.desk import Desk
from tests.pages import fragment, words
from tests.viewers import Browser
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def gauge(browser: Browser, conversation: Conversation) -> str:
    answer = await browser.get(f"/conversations/{conversation.pk}/context/")
    return " ".join(words(each) for each in fragment(answer.text).cssselect(".gauge, .gauge-more p"))


async def test_the_upstream_is_asked_to_count_the_tools_and_the_calls_of_earlier_answers(desk: Desk) -> None:
    await desk.use("echo")
    desk.reply_with_calls(("toolu_1", "drawer__echo", {"text": "hello"}))
    desk.server.say("It said hello.")
    desk.server.count = 2000
    await desk.ask_and_wait()
    assert "tools included" in await gauge(desk.browser, desk.conversation)
    asked = desk.server.counted[-1].json
    assert [tool["name"] for tool in asked["tools"]] == ["drawer__echo"]
    kinds = [block["type"] for message in asked["messages"] for block in message["content"]]
    assert kinds == ["text", "tool_use", "tool_result", "text", "text"]


async def test_who_may_use_other_tools_is_told_another_count(desk: Desk, browser: Opening, ben: User) -> None:
    await desk.use("echo", is_narrowed=True)
    await desk.use("picture")
    desk.server.count = 1000
    assert "tools included" in await gauge(desk.browser, desk.conversation)
    await desk.conversation.tools.filter(name="picture").aupdate(is_allowed=False)
    assert "tools included" not in await gauge(desk.browser, desk.conversation)
    await gauge(await browser(ben), desk.conversation)
    # Ben may use what Ada may: nothing is counted twice.
    assert ["tools" in asked.json for asked in desk.server.counted] == [True, False]


async def test_an_estimate_has_the_tools_in_it(desk: Desk) -> None:
    await ChatModel.objects.aupdate(context_window=10_000)
    assert "≈ 0 %" in (await gauge(desk.browser, desk.conversation)).replace("\xa0", " ")
    await desk.use("echo", description="word " * 2000)
    assert "≈ 25 %" in (await gauge(desk.browser, desk.conversation)).replace("\xa0", " ")
