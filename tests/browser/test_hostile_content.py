"""Hostile texts in a real browser: nothing runs, nothing is requested, and the policy has nothing to block."""

import re

from playwright.async_api import expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer
from tests.hostile import PAYLOADS

BATCH = 40
# A lone surrogate is not UTF-8 and cannot be sent.
TEXTS = [payload.encode(errors="ignore").decode() or "?" for payload in PAYLOADS]
NAMES = [text[:150] for text in TEXTS]
TITLES = [text[:200] for text in TEXTS]
NEW_TITLES = [" ".join(TITLES[at : at + 4])[:200] for at in range(0, len(TITLES), 4)]

ALIVE = r"""
root => [...root.querySelectorAll("*")].filter(element => {
    if (element.matches("script, style, iframe, object, embed, base, meta, link, form, video, audio")) return true;
    return [...element.attributes].some(({name, value}) => {
        if (/^(on|style$|(data-)?hx-)/.test(name)) return true;
        return /(href|src|action)$/.test(name) && /^\s*(javascript|data|vbscript):/i.test(value);
    });
}).map(element => element.outerHTML.slice(0, 200))
"""
"""A JavaScript function that returns the active elements and attributes in a message's body."""


async def test_hostile_names_and_messages_of_people_and_models_are_harmless(
    open_tab: OpenTab, backstage: Backstage
) -> None:
    reader = backstage.person("Ada <img src=x onerror=hit(0)>")
    tab = await open_tab(reader)
    for at in range(0, len(TEXTS), BATCH):
        texts, names = TEXTS[at : at + BATCH], NAMES[at : at + BATCH]
        address = backstage.crowd(reader, "Words", texts, names)
        await tab.open(address)
        await tab.messages.first.scroll_into_view_if_needed()
        await expect(tab.messages).to_have_count(2 * len(texts))
        assert await tab.log.evaluate(f"log => [...log.querySelectorAll('.message-body')].flatMap({ALIVE})") == []
        await expect(tab.page).to_have_title("Words · chatsite")
        await expect(tab.page).to_have_url(re.compile(f"{address}$"))


async def test_hostile_titles_are_harmless(open_tab: OpenTab, backstage: Backstage, watch: Watch) -> None:
    watch.expect("status of 422")  # Some are not valid titles.
    reader = backstage.person("</textarea><script>hit(0)</script>")
    backstage.conversations(reader, TITLES)
    tab = await open_tab(reader)
    await tab.open()
    shown = await tab.rows.count()
    while shown < len(TITLES):
        await tab.rows.last.scroll_into_view_if_needed()
        await expect(tab.rows).not_to_have_count(shown)
        shown = await tab.rows.count()
    assert await tab.sidebar.locator("[data-title-of] *").count() == 0

    await tab.rows.first.get_by_role("link").click()
    await tab.await_connection()
    rename = """async titles => {
        const form = document.querySelector(".title-form");
        for (const title of titles) {
            const body = new URLSearchParams(new FormData(form));
            body.set("title", title);
            await fetch(form.action, {method: "POST", body, headers: {"HX-Request": "true"}});
        }
    }"""
    await tab.page.evaluate(rename, [*NEW_TITLES, "The last one"])
    await expect(tab.title).to_have_value("The last one")


async def test_a_growing_hostile_answer_is_harmless(tab: Tab, model: ModelServer) -> None:
    for start in range(0, len(TEXTS), BATCH):
        text = "\n\n".join(TEXTS[start : start + BATCH]) + "\n\n"
        pieces = [text[at : at + 29] for at in range(0, len(text), 29)]
        model.say(*pieces, "\n```\nThe end.\n```\n", thinking=pieces)
    model.hold()
    await tab.begin("Go on")
    for start in range(0, len(TEXTS), BATCH):
        if start:
            await tab.say("Go on")
            model.hold()
        for _ in range(6):
            model.step(30)
            await tab.page.evaluate("new Promise(requestAnimationFrame)")
        model.release()
        await tab.await_answer()
    assert await tab.log.evaluate(f"log => [...log.querySelectorAll('.message-body')].flatMap({ALIVE})") == []
