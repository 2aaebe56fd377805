"""Two web processes and two workers behind nginx are restarted one after the other, and no answer is interrupted."""

import signal
from pathlib import Path

from conversations.answering.ending import CONTINUED
from tests.browser.site import Site
from tests.cluster.cluster import PATIENCE, Cluster, Worker, signed_in
from tests.cluster.storyteller import LONG, story
from tests.installation import until
from tests.nginx import nginx

QUICK = 30
"""Words: an answer that ends within the grace."""


def test_no_answer_is_interrupted(cluster: Cluster, tmp_path: Path) -> None:
    webs = cluster.start(Site, Site, SERVE_ANSWERS="false")
    workers = cluster.start(Worker, Worker)
    with nginx(tmp_path, [web.port for web in webs]) as address, signed_in(address) as person:
        models = sorted(person.find_models().values())
        stories = {f"Story {number}, {length} words": story(number, length)
                   for number, length in enumerate([QUICK, LONG] * 10)}  # fmt: skip
        conversations = [person.ask(question, models[place // 2 % 2]) for place, question in enumerate(stories)]
        until(lambda: sum(state == "running" for state, _, _ in cluster.read_answers().values()) >= 10)
        for process in (*workers, *webs):
            cluster.restart(process)
            assert person.page(conversations[-1]).title
            assert "interrupted" not in {state for state, _, _ in cluster.read_answers().values()}
        for teller in cluster.tellers:
            teller.middle.open()
        until(lambda: all(state == "complete" for state, _, _ in cluster.read_answers().values()), PATIENCE)
        answers = cluster.read_answers()
        assert {question: text for question, (_, text, _) in answers.items()} == stories
        # Those that were handed over say so, and all their calls are booked.
        calls = dict(cluster.query("SELECT generation_id, count(*) FROM conversations_generationcall GROUP BY 1"))
        marked = {question for question, (_, _, notes) in answers.items() if notes == [CONTINUED]}
        assert marked >= {question for question in stories if f", {LONG} " in question}
        assert sum(count > 1 for count in calls.values()) >= len(marked)
        outcomes = {outcome for [outcome] in cluster.query("SELECT DISTINCT outcome FROM ledger_entry")}
        assert outcomes == {"complete", "broken"}
        assert all(teller.was_asked_to_continue for teller in cluster.tellers)
        for process in (*workers, *webs):
            process.process.send_signal(signal.SIGTERM)
