"""Every response denies what no page uses, and no cache keeps a page."""

import pytest

from accounts.models import User
from tests.audiences import ALL_ROUTES, PROBES
from tests.viewers import Browser

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESSES = ["/" + route for route in sorted(ALL_ROUTES | PROBES) if "<" not in route and "(" not in route]


async def test_no_cache_keeps_a_page(root: User) -> None:
    for browser in (Browser(), await Browser.of(root)):
        for address in [*ADDRESSES, "/nowhere/", "/v1/models", "/demo-upstream/v1/models"]:
            answer = await browser.get(address)
            kept = "no-store" in answer.headers["cache-control"] or address == "/admin/jsi18n/"
            assert kept, (address, answer.headers["cache-control"])
            assert "camera=()" in answer.headers["permissions-policy"], address
            assert "clipboard-write=(self)" in answer.headers["permissions-policy"], address
        await browser.close()
