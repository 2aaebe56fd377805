"""Random trees of branches."""

import random

from accounts.models import User
from conversations.models import Branch, Conversation, Message, Path
from conversations.verbs.writing import add_message, fork_branch, queue_reply
from tests.conversations.talking import add_exchange
from upstreams.models import ChatModel

FOREST = range(12)
"""The seeds of the trees."""


def grow(conversation: Conversation, author: User, seed: int, model: ChatModel | None = None) -> random.Random:
    """A random tree: turns at the end of any branch, edits and retries of any message."""
    chance = random.Random(seed)
    add_exchange(Path.through(conversation), author, "Q0", "A0", model)
    for number in range(1, chance.randrange(3, 14)):
        branch = chance.choice(list(conversation.branches.order_by("pk")))
        if chance.random() < 0.4:
            add_exchange(Path.through(conversation, branch.pk), author, f"Q{number}", f"A{number}", model)
            continue
        message = chance.choice(list(conversation.messages.order_by("pk").select_related("parent__branch")))
        message.conversation = conversation
        forked = fork_branch(message, model)
        if message.role == "user":
            said = add_message(forked, message.parent_id, author=author, text=f"Q{number}, edited")
            queue_reply(forked, said.pk, model, None)
        else:
            queue_reply(forked, message.parent_id, model, None)
        Message.objects.filter(branch=forked, role="assistant").update(blocks=[{"type": "text", "text": f"A{number}"}])
    conversation.generations.update(state="complete")
    return chance


def fork(answer: Message, model: ChatModel | None) -> Branch:
    """Retries an answer, without starting the reply. Returns its branch."""
    answer.conversation = Conversation.objects.get(pk=answer.conversation_id)
    branch = fork_branch(answer, model)
    queue_reply(branch, answer.parent_id, model, None)
    return branch
