"""The settings of a conversation reach the model's server."""

from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer


async def open_settings(tab: Tab) -> None:
    await tab.page.get_by_role("link", name="Conversation settings").click()
    await expect(tab.dialog.get_by_role("heading", name="Conversation settings")).to_be_visible()


async def test_settings_are_sent_with_the_next_question(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Yes.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await open_settings(tab)
    await tab.dialog.get_by_label("System prompt").fill("Be brief.")
    await tab.dialog.get_by_label("Maximum answer length").fill("321")
    await tab.dialog.get_by_label("Temperature").fill("0.5")
    await tab.dialog.get_by_label("Stop sequences").fill("END\nSTOP")
    await tab.dialog.get_by_role("button", name="Save").click()
    await expect(tab.dialog).to_be_hidden()
    await tab.say("And now?")
    await tab.await_answer()
    asked = model.requests[-1].json
    assert asked["max_tokens"] == 321
    assert asked["temperature"] == 0.5
    assert asked["stop_sequences"] == ["END", "STOP"]
    assert "Be brief." in str(asked["system"])
    await open_settings(tab)
    await expect(tab.dialog.get_by_label("System prompt")).to_have_value("Be brief.")
    await expect(tab.dialog.get_by_label("Maximum answer length")).to_have_value("321")


async def test_an_invalid_value_shows_an_error_at_its_field(
    tab: Tab, ada: Person, backstage: Backstage, watch: Watch
) -> None:
    watch.expect("status of 422")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await open_settings(tab)
    await tab.dialog.get_by_label("System prompt").fill("Be brief.")
    field = tab.dialog.get_by_label("Temperature")
    await field.fill("3")
    await tab.dialog.get_by_role("button", name="Save").click()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(tab.dialog.locator(".field", has=tab.page.get_by_label("Temperature"))).to_contain_text(
        "Temperature must"
    )
    await expect(field).to_have_value("3")
    await expect(tab.dialog.get_by_label("System prompt")).to_have_value("Be brief.")
    await field.fill("1")
    await tab.dialog.get_by_role("button", name="Save").click()
    await expect(tab.dialog).to_be_hidden()


async def test_the_chosen_model_answers_and_stays_chosen(tab: Tab, model: ModelServer) -> None:
    model.say("Yes.")
    await tab.open()
    await tab.choose_model("Wordy model")
    await tab.composer.fill("Who are you?")
    await tab.send.click()
    await tab.await_answer()
    assert model.requests[-1].json["model"] == "wordy-model"
    await expect(tab.answer.locator(".message-name")).to_have_text("Wordy model")
    await expect(tab.model).to_have_value("Wordy model")
    await tab.await_connection()
    await tab.choose_model("Test model")
    await tab.say("And you?")
    await expect(tab.answer.locator(".message-name")).to_have_text("Test model")
    await tab.await_answer()
    assert model.requests[-1].json["model"] == "test-model"


async def test_settings_and_tools_are_chosen_before_the_first_question(
    tab: Tab, backstage: Backstage, model: ModelServer
) -> None:
    backstage.tool("http://127.0.0.1:9/mcp", "echo", title="Echo")
    try:
        model.say("Yes.")
        await tab.open()
        await tab.composer.fill("Is it?")
        await open_settings(tab)
        await tab.dialog.get_by_label("System prompt").fill("Be brief.")
        await tab.dialog.get_by_role("checkbox", name="Echo").check()
        await tab.dialog.get_by_role("button", name="Save").click()
        await expect(tab.dialog).to_be_hidden()
        await expect(tab.page.get_by_role("button", name="Tools: 1 selected")).to_be_visible()
        await expect(tab.composer).to_have_value("Is it?")
        await tab.page.reload()
        await expect(tab.page.get_by_role("button", name="Tools: 1 selected")).to_be_visible()
        await tab.composer.fill("Is it?")
        await tab.send.click()
        await tab.await_answer()
        asked = model.requests[-1].json
        assert "Be brief." in str(asked["system"]) and [tool["name"] for tool in asked["tools"]] == ["drawer__echo"]
        await expect(tab.page.get_by_role("button", name="Tools: 1 selected")).to_be_visible()
    finally:
        backstage.delete_tools()
