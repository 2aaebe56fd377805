"""An administrator reads the usage and sets a budget, which a person sees on their own page."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import OpenTab


@pytest.fixture
def without_budgets(backstage: Backstage) -> Iterator[None]:
    yield
    backstage.delete_budgets()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_usage_is_drilled_into_and_a_budget_is_set(
    scheme: str, width: int, open_tab: OpenTab, backstage: Backstage, without_budgets: None
) -> None:
    uma = backstage.person(f"Uma {scheme}")
    backstage.book_calls(uma, calls=3)
    how = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    tab = await open_tab(backstage.administrator(), **how)
    page = tab.page
    await tab.open("/settings/usage/?by=person&period=7-days&measure=tokens")
    await page.locator(".usage-table").get_by_role("link", name=uma.name).click()
    chip = page.get_by_role("link", name=f"Person {uma.name}")
    await expect(chip).to_be_visible()
    await expect(page.locator(".totals")).to_contain_text("3,300")
    # The chart is also a table for screen readers.
    await expect(page.locator(".chart svg")).to_be_visible()
    table = page.get_by_role("table", name="Usage by day")
    await expect(table.get_by_role("row").last).to_contain_text("3,000")
    await page.get_by_role("navigation", name="View").get_by_role("link", name="Table").click()
    await expect(page.locator(".chart svg")).to_have_count(0)
    await expect(page.locator(".chart .visually-hidden table")).to_have_count(0)
    await page.get_by_role("button", name="CSV").click()
    async with page.expect_download() as saving:
        await page.get_by_role("link", name="All calls").click()
    assert (await saving.value).suggested_filename.startswith("calls-")
    await chip.click()
    await expect(chip).to_have_count(0)
    await tab.open("/settings/budgets/")
    await page.get_by_role("link", name="Add a budget").first.click()
    await page.get_by_label("For", exact=True).select_option("Each person")
    await expect(page.get_by_label("Person")).to_be_hidden()
    await page.get_by_label("Limit").fill("4000")
    await page.get_by_label("Counted in").select_option("Tokens")
    await page.get_by_role("button", name="Add budget").click()
    await expect(page.get_by_role("row", name="Each person")).to_contain_text("4,000 tokens")
    own = await open_tab(uma, **how)
    await own.open("/account/usage/")
    await expect(own.page.locator(".meters")).to_contain_text("nearly used up 3,300 tokens of 4,000 tokens · 82 %")
