"""A process of uvicorn works beside the others, and hands its answers over when it stops."""

import signal

import httpx

from conversations.answering.ending import CONTINUED
from tests.cluster.cluster import PATIENCE, Cluster, Worker, signed_in
from tests.cluster.listener import Listener
from tests.cluster.storyteller import LONG, story
from tests.installation import until
from tests.test_lifespan import UvicornSite

QUESTION = f"Story 1, {LONG} words"


def test_uvicorn_hands_over_its_answers(cluster: Cluster) -> None:
    [web] = cluster.start(UvicornSite)
    assert httpx.get(f"{web.url}/readyz").json()["checks"]["upkeep"] == "ok"
    with signed_in(web.url) as person:
        model = sorted(person.find_models().values())[0]
        conversation = person.ask(QUESTION, model)
        with Listener(person, conversation) as tab:
            until(lambda: tab.has_heard("1.10"))
        cluster.start(Worker)
        web.process.send_signal(signal.SIGTERM)
        assert web.process.wait(PATIENCE) in (0, -signal.SIGTERM)
    until(lambda: cluster.query("SELECT count(*) FROM conversations_generationcall") == [(2,)])
    for teller in cluster.tellers:
        teller.middle.open()
    until(lambda: cluster.read_answers()[QUESTION][0] == "complete", PATIENCE)
    assert cluster.read_answers()[QUESTION] == ("complete", story(1, LONG), [CONTINUED])
    assert sorted(cluster.query("SELECT outcome FROM ledger_entry")) == [("broken",), ("complete",)]
