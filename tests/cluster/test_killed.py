"""Processes that are killed or stand still lose no text, and nobody else's answers."""

import random
import signal
import time

from tests.browser.site import Site
from tests.cluster.cluster import PATIENCE, Cluster, Worker, signed_in
from tests.cluster.storyteller import PACE, story
from tests.installation import until

LENGTH = 200
BEHIND = 2.0
"""Seconds of text that a crash may lose."""


def test_a_killed_worker_and_one_that_stands_still(cluster: Cluster) -> None:
    chance = random.Random(12)
    [web] = cluster.start(Site, SERVE_ANSWERS="false")
    killed, halted, healthy = cluster.start(Worker, Worker, Worker)
    with signed_in(web.url) as person:
        models = sorted(person.find_models().values())
        for teller in cluster.tellers:
            teller.middle.open()
        stories = {f"Story {number}, {LENGTH} words": story(number, LENGTH) for number in range(20)}
        for place, question in enumerate(stories):
            person.ask(question, models[place % 2])
        until(lambda: all(state == "running" for state, _, _ in cluster.read_answers().values()))
        assert len(owners(cluster)) == 3
        time.sleep(chance.uniform(1.5, 3))
        killed.process.send_signal(signal.SIGKILL)
        time.sleep(chance.uniform(0, 1))
        halted.process.send_signal(signal.SIGSTOP)
        stopped_at = {question: len(text) for question, (_, text, _) in cluster.read_answers().items()}
        until(lambda: not any(state == "running" for state, _, _ in cluster.read_answers().values()), PATIENCE)
        # It finds that it has lost its answers, and changes nothing of them.
        ended = cluster.read_answers()
        halted.process.send_signal(signal.SIGCONT)
        halted.await_line("Another process has taken this one for dead")
        again = f"Story 99, {20} words"
        person.ask(again, models[0])
        until(lambda: cluster.read_answers().get(again, ("",))[0] == "complete", PATIENCE)
        assert {question: cluster.read_answers()[question] for question in stories} == ended
        states = [state for state, _, _ in ended.values()]
        assert set(states) == {"complete", "interrupted"} and states.count("complete") >= 2
        lost = BEHIND / PACE * len("12.199 ")
        for question, (state, text, _) in ended.items():
            assert stories[question].startswith(text)
            assert (text == stories[question]) == (state == "complete"), question
            assert len(text) >= stopped_at[question] - lost
        assert cluster.query("SELECT count(*) FROM ledger_entry WHERE outcome = 'open'") == [(0,)]
        booked = dict(cluster.query("SELECT outcome, count(*) FROM ledger_entry GROUP BY 1"))
        assert booked["complete"] == states.count("complete") + 1
        assert sum(booked.values()) == len(stories) + 1
        assert healthy.process.poll() is None


def owners(cluster: Cluster) -> set[int]:
    return {process for [process] in cluster.query("SELECT DISTINCT process FROM conversations_generation")}
