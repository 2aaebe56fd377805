"""Ada's tab on the conversation."""

import pytest

from accounts.models import User
from conversations.models import Conversation
from tests.conversations.asking import Opening
from tests.viewers import Viewer


@pytest.fixture
async def tab(browser: Opening, ada: User, conversation: Conversation) -> Viewer:
    """Ada's tab, on a conversation without messages."""
    return await (await browser(ada)).open(conversation)
