"""The first start: the link on the console creates the administrator."""

from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.site import PASSWORD, Site
from tests.browser.watch import Watch

TEXT_BOX = "it.parentElement.querySelector('span').getBoundingClientRect().toJSON()"
NOTICE_BOX = "it.parentElement.getBoundingClientRect().toJSON()"
SET_UP = "Set up the first administrator at "


async def test_the_link_on_the_console_creates_one_administrator(
    site: Site, open_tab: OpenTab, watch: Watch, tmp_path: Path
) -> None:
    (tmp_path / "static").symlink_to(site.data / "static", target_is_directory=True)
    with Site(tmp_path) as fresh:
        watch.watch_also(fresh.url)
        watch.expect("status of 404")
        link = fresh.await_line(SET_UP).removeprefix(SET_UP)

        stranger = (await open_tab(url=fresh.url)).page
        await stranger.goto(fresh.url)
        await expect(stranger.get_by_role("heading", name="Not set up yet")).to_be_visible()
        answer = await stranger.goto(link[:-3] + "abc/")
        assert answer and answer.status == 404

        first = (await open_tab(url=fresh.url)).page
        await first.goto(link)
        await first.get_by_label("Username").fill("grace")
        await first.get_by_label("Name", exact=True).fill("Grace Hopper")
        await first.get_by_label("Password", exact=True).fill(PASSWORD)
        await first.get_by_label("Password again").fill(PASSWORD)
        await first.get_by_role("button", name="Create account").click()
        await expect(first.get_by_role("heading", name="How can I help, Grace")).to_be_visible()
        button = first.get_by_role("link", name="Connect a model")
        await expect(button).to_be_visible()
        for width in (320, 390):
            await first.set_viewport_size({"width": width, "height": 844})
            words, notice = [await button.evaluate(f"it => {box}") for box in (TEXT_BOX, NOTICE_BOX)]
            assert words["width"] > 0.75 * notice["width"]
            assert words["bottom"] <= (await button.bounding_box() or {})["y"]

        answer = await stranger.goto(link)
        assert answer and answer.status == 404
        # An open page would log errors once the server has stopped.
        await first.close()
        await stranger.close()

    with Site(tmp_path) as again:
        watch.watch_also(again.url)
        page = (await open_tab(url=again.url)).page
        await page.goto(again.url)
        await page.get_by_label("Username").fill("grace")
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="How can I help, Grace")).to_be_visible()
        assert not any(SET_UP in line for line in again.console)
        await page.close()
