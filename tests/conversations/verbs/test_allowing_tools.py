"""Some tools need approval by the person whose answer they are for."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation, Decision, State, ToolApproval, ToolGrant
from conversations.upkeep import recovery
from tests.conversations.asking import Opening, last_reply
from tests.conversations.verbs.desk import Desk, block_kinds, call_progress, decide

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = ("toolu_1", "drawer__echo", {"text": "hello"})


async def test_a_tool_that_needs_approval_waits_for_the_person_who_asked(
    desk: Desk, browser: Opening, ada: User, ben: User
) -> None:
    await desk.use("echo", ask_first=True)
    desk.reply_with_calls(HELLO, text="May I?")
    desk.server.say("Thank you.")
    bens = await (await browser(ben)).open(desk.conversation)
    reply = await desk.ask_and_wait()
    assert (reply.state, desk.progress, len(desk.server.requests)) == (State.WAITING, ["waiting"], 1)
    await bens.until(lambda page: page.find('.tool-call[data-progress="waiting"]'))
    assert bens.page.one(".tool-ask").get("data-author") == str(ada.pk)
    assert await decide(bens.browser, reply, "toolu_1", "once") == 403
    assert await desk.decide(reply, "toolu_9", "once") == 404
    assert await desk.decide(reply, "toolu_1", "perhaps") == 400
    assert await desk.decide(reply, "toolu_1", "once") == 204
    await bens.until(lambda page: page.state(reply.message_id) == State.COMPLETE)
    assert bens.page.text(reply.message_id).endswith("Thank you.")
    assert block_kinds(await last_reply(desk.conversation)) == ["text", "tool_use", "tool_result", "text"]
    assert await desk.decide(reply, "toolu_1", "refuse") == 204
    assert len(desk.server.requests) == 2


async def test_a_refused_tool_does_not_run_and_the_model_learns_of_it(desk: Desk) -> None:
    await desk.use("slow", ask_first=True)
    desk.reply_with_calls(("toolu_1", "drawer__slow", {"name": "refused"}))
    desk.server.say("As you like.")
    reply = await desk.ask_and_wait()
    await desk.decide(reply, "toolu_1", "refuse")
    await desk.until(reply, State.COMPLETE)
    [result] = desk.messages_sent()[-1]["content"]
    assert result["is_error"] and "refused" in result["content"][0]["text"]
    assert ["began", "refused"] not in desk.drawer.seen()
    assert desk.progress == ["refused"]


async def test_a_tool_allowed_for_the_conversation_needs_no_more_approval_by_that_person(
    desk: Desk, browser: Opening, ada: User, ben: User
) -> None:
    await desk.use("echo", ask_first=True)
    desk.reply_with_calls(HELLO, ("toolu_2", "drawer__echo", {"text": "hello"}))
    desk.server.say("First.")
    bens = await (await browser(ben)).open(desk.conversation)
    reply = await desk.ask_and_wait()
    assert await desk.decide(reply, "toolu_1", "always") == 204
    await desk.until(reply, State.COMPLETE)
    assert await ToolGrant.objects.filter(person=ada).acount() == 1
    for tab, state in ((desk.tab, State.COMPLETE), (bens, State.WAITING)):
        desk.reply_with_calls(("toolu_3", "drawer__echo", {"text": "again"}))
        desk.server.say("Next.")
        desk.tab = tab
        assert (await desk.ask_and_wait()).state == state


async def test_a_decision_is_final(desk: Desk) -> None:
    await desk.use("echo", ask_first=True)
    desk.reply_with_calls(HELLO, ("toolu_2", "drawer__echo", {"text": "hello"}))
    reply = await desk.ask_and_wait()
    assert await desk.decide(reply, "toolu_1", "refuse") == 204
    decided = await Conversation.objects.aget(pk=desk.conversation.pk)
    assert await desk.decide(reply, "toolu_1", "always") == 204
    again = await Conversation.objects.aget(pk=desk.conversation.pk)
    assert again.revision == decided.revision
    assert await ToolApproval.objects.filter(decision=Decision.REFUSED).acount() == 1
    assert not await ToolGrant.objects.aexists()
    assert (await last_reply(desk.conversation)).state == State.WAITING


async def test_waiting_survives_a_restart(desk: Desk) -> None:
    await desk.use("echo", ask_first=True)
    desk.reply_with_calls(HELLO, text="May I?")
    desk.server.say("Thank you.")
    reply = await desk.ask_and_wait()
    assert await sync_to_async(recovery.recover)() == []
    desk.tab = await desk.browser.open(desk.conversation)
    assert (desk.tab.page.state(reply.message_id), desk.progress) == (State.WAITING, ["waiting"])
    await desk.decide(reply, "toolu_1", "once")
    await desk.until(reply, State.COMPLETE)
    assert desk.tab.page.text(reply.message_id).endswith("Thank you.")


async def test_while_one_answer_waits_the_next_turn_waits_too_and_stop_ends_both(desk: Desk) -> None:
    await desk.use("echo", ask_first=True)
    desk.reply_with_calls(HELLO, text="May I?")
    first = await desk.ask_and_wait()
    second = await desk.ask("And?")
    await desk.until(second, State.QUEUED)
    await desk.stop()
    await desk.until(first, State.STOPPED)
    await desk.until(second, State.STOPPED)
    assert (call_progress(desk.tab), len(desk.server.requests)) == (["dropped"], 1)
    assert await desk.decide(first, "toolu_1", "once") == 204
    assert (await last_reply(desk.conversation)).state == State.STOPPED


async def test_decisions_at_the_same_time_run_a_tool_once(desk: Desk) -> None:
    await desk.use("slow", ask_first=True)
    desk.reply_with_calls(("toolu_1", "drawer__slow", {"name": "twice allowed"}))
    desk.server.say("Done.")
    reply = await desk.ask_and_wait()
    told = await asyncio.gather(*(desk.decide(reply, "toolu_1", answer) for answer in ("once", "always", "once")))
    assert told == [204] * 3
    await desk.drawer.saw("began", "twice allowed")
    desk.drawer.end("twice allowed")
    await desk.until(reply, State.COMPLETE)
    assert desk.drawer.seen().count(["began", "twice allowed"]) == 1
    assert (await last_reply(desk.conversation)).claims == 2
