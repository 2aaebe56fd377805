"""Shows how PostgreSQL plans the queries that take the most time on a site with a million messages.

    python -m bench.queries [--messages 1000000] [--top 10]

The site runs in this process while somebody opens pages, searches, and posts turns that are answered. All queries are
counted, those of the background too, and explained with their real parameters. The ones on which PostgreSQL spends the
most time come first. This takes about three minutes.
"""

import argparse
import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from bench.pages import Seeded
from bench.stand import CSRF_TOKEN, Address, Stand
from bench.upstream import Plan
from tests.postgres import PostgresServer

PEOPLE: Final = 200
PER_CONVERSATION: Final = 50
"""Messages in each conversation, but for a long one of 10,000."""
LONG: Final = 10_000
ROUNDS: Final = 10
IDLE: Final = 20
"""Seconds in which only the background works."""
MANY: Final = 1000
"""Rows. A plan with a node that reads more of them deserves a look, and has a star."""
LONGEST: Final = 400
HOST: Final = "127.0.0.1"

# The keys of conversations, branches and messages are numbers from 1.
SEED: Final = """
CREATE TEMP TABLE person AS SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM accounts_user;
INSERT INTO conversations_conversation (id, title, created_at, revision, system_prompt, stop_sequences, tool_choice,
    reasoning_effort, thinking, leaves_out_oldest)
    SELECT n, 'Conversation ' || n, now(), 0, '', '[]', '', '', '', false FROM generate_series(1, {conversations}) n;
INSERT INTO conversations_branch (id, created_at, conversation_id)
    SELECT n, now(), n FROM generate_series(1, {conversations}) n;
UPDATE conversations_conversation SET branch_id = id;
INSERT INTO conversations_participant (role, active_at, conversation_id, user_id)
    SELECT 'owner', now() - n * interval '1 minute', n, person.id
    FROM generate_series(1, {conversations}) n JOIN person ON person.place = n % {people};
INSERT INTO conversations_message (id, role, blocks, revision, shown_since, created_at, branch_id, conversation_id,
    parent_id, author_id, memory_begins, deleted_at)
    SELECT n, CASE WHEN n % 2 = 1 THEN 'user' ELSE 'assistant' END,
        json_build_array(json_build_object('type', 'text', 'text', 'Message ' || n || repeat(' of some words', 30))),
        0, 0, now() - ({messages} - n) * interval '1 second', c, c,
        CASE WHEN n > first THEN n - 1 END, CASE WHEN n % 2 = 1 THEN person.id END, false,
        CASE WHEN n % 5000 = 0 THEN now() END
    FROM (SELECT n, CASE WHEN n <= {long} THEN 1 ELSE 2 + (n - {long} - 1) / {per} END AS c,
        CASE WHEN n <= {long} THEN 1 ELSE n - (n - {long} - 1) % {per} END AS first
        FROM generate_series(1, {messages}) n) numbered
    JOIN person ON person.place = c % {people};
INSERT INTO conversations_branch (id, created_at, conversation_id, parent_id, fork_after_id)
    SELECT {conversations} + 1, now(), 1, 1, {long} - 1000;
INSERT INTO conversations_generation (model_name, provider_name, state, stop_reason, error_kind, error_message,
    error_detail, notes, continues, queued_at, started_at, finished_at, conversation_id, message_id, rounds, claims)
    SELECT 'Model', 'Replay', 'complete', 'end_turn', '', '', '', '[]', false, created_at, created_at, created_at,
        conversation_id, id, 1, 1 FROM conversations_message WHERE role = 'assistant';
INSERT INTO ledger_entry (person_name, key_name, group_name, model_name, provider_name, source, request_id,
    upstream_id, input_tokens, output_tokens, is_estimate, cost, outcome, error_kind, started_at, seconds,
    prompt_estimate, reserved_tokens, reserved_cost, person_id)
    SELECT person.place::text, '', '', 'Model', 'Replay', 'conversation', n::text, '', 1000, 100, false, 1000,
        'complete', '', now() - n * interval '10 seconds', 3, 1000, 0, 0, person.id
    FROM generate_series(1, {messages} / 2) n JOIN person ON person.place = n % {people};
"""
TABLES: Final = ("conversation", "branch", "message")


@dataclass(slots=True)
class Query:
    """How often one statement was used, and with which parameters the last time."""

    count: int = 0
    parameters: Any = field(default=None, repr=False)


class Log:
    """Counts the queries of all connections of this process."""

    def __init__(self) -> None:
        self.queries: dict[str, Query] = defaultdict(Query)

    def listen(self) -> None:
        from django.db.backends.signals import connection_created

        connection_created.connect(self._on_connection, weak=False)

    def _on_connection(self, connection: Any, **_: Any) -> None:
        if self._count not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._count)

    def _count(self, execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any) -> Any:
        query = self.queries[normalise(sql)]
        query.count += 1
        query.parameters = (sql, next(iter(parameters)) if many else parameters)
        return execute(sql, parameters, many, context)

    def explain(self) -> list["Explained"]:
        """Explains all queries that look for something. The one that takes PostgreSQL the most time comes first."""
        data = [query for sql, query in self.queries.items() if re.match("SELECT|UPDATE|DELETE", sql)]
        return sorted((Explained(query, explain(query)) for query in data), key=lambda each: -each.total)


def normalise(sql: str) -> str:
    """Makes statements equal that differ only in the number of their parameters."""
    return re.sub(r"\(%s(, %s)*\)", "(…)", sql)


def count_conversations(messages: int) -> int:
    return 1 + max(0, messages - LONG) // PER_CONVERSATION


def seed(stand: Stand, messages: int) -> Seeded:
    from django.db import connection

    from accounts.models import User

    User.objects.bulk_create(User(username=f"person-{number}") for number in range(1, PEOPLE))
    values = {"people": PEOPLE, "conversations": count_conversations(messages), "messages": messages}
    with connection.cursor() as cursor:
        for statement in SEED.format(**values, long=LONG, per=PER_CONVERSATION).split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        for table in TABLES:
            name = f"conversations_{table}"
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
        cursor.execute("VACUUM ANALYZE")
    owner = User.objects.get(participations__conversation=1)
    return Seeded(stand.sign_in(owner), 1, LONG // 2, "")


async def use(who: Seeded, conversations: int, chat_model: int) -> None:
    """Uses the site in this process as people do."""
    import httpx

    from chatsite.asgi import application
    from chatsite.process import lifespan

    if fault := await lifespan.try_to_start():
        raise RuntimeError(fault)
    address = Address(0, who.session)
    headers = {"x-csrftoken": CSRF_TOKEN, "host": HOST}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application, client=(HOST, 1)),
        **{"base_url": f"http://{HOST}", "cookies": address.cookies, "headers": headers},
    ) as client:
        reading = ("/", *list(who.paths.values())[1:3], "/conversations/found/?q=19", "/deleted/", "/account/usage/")
        fork = f"{reading[1]}?branch={1 + conversations}"
        # Another conversation of the same person, of the usual length.
        talk = f"/conversations/{who.conversation + PEOPLE}/"
        turn = {"text": "How much?", "chat_model": chat_model}
        for _ in range(ROUNDS):
            for page in (*reading, fork, talk):
                (await client.get(page)).raise_for_status()
            (await client.post(f"{talk}turns/", data=turn, headers={"hx-request": "true"})).raise_for_status()
    await asyncio.sleep(IDLE)
    await lifespan.wind_down()


def explain(query: Query) -> dict[str, Any]:
    """Returns the plan with what really happened. Nothing of it stays."""
    from django.db import connection, transaction

    sql, parameters = query.parameters
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", parameters)
        plan: dict[str, Any] = cursor.fetchone()[0][0]
        transaction.set_rollback(True)
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


@dataclass(frozen=True, slots=True)
class Explained:
    query: Query
    plan: dict[str, Any]

    @property
    def ms(self) -> float:
        return float(self.plan["Execution Time"])

    @property
    def total(self) -> float:
        return self.ms * self.query.count

    @property
    def most_read(self) -> int:
        """Returns the most rows that one node reads."""
        read = ((node["Actual Rows"] + node.get("Rows Removed by Filter", 0), node) for node in self.nodes)
        return max(int(rows * node["Actual Loops"]) for rows, node in read)

    @property
    def scans(self) -> list[str]:
        used = [node for node in self.nodes if "Scan" in node["Node Type"] and node["Actual Loops"]]
        names = (node.get("Index Name") or f"{node['Node Type']} of {node.get('Relation Name', '?')}" for node in used)
        return list(dict.fromkeys(names))

    @property
    def nodes(self) -> list[dict[str, Any]]:
        return list(nodes(self.plan["Plan"]))

    @property
    def row(self) -> str:
        mark = "*" if self.most_read > MANY else " "
        return (
            f"{self.query.count:6} {self.ms:9.3f} {self.total:9.1f} {self.most_read:9}{mark} "
            f"{shorten(self.query.parameters[0])}\n{'':38}{', '.join(self.scans)}"
        )


def shorten(sql: str) -> str:
    """Leaves out the columns of a SELECT, subqueries among them."""
    sql = normalise(sql).replace('"', "")
    depth = 0
    for found in re.finditer(r"[()]|\bFROM\b", sql):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if found[0] == "FROM" and depth == 0 and sql.startswith("SELECT"):
            return f"SELECT … {sql[found.start() :]}"[:LONGEST]
    return sql[:LONGEST]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--top", type=int, default=10, help="how many queries to explain")
    options = parser.parse_args()
    with PostgresServer() as postgres, Stand(DATABASE_URL=postgres.create_database()) as stand:
        began = time.monotonic()
        who, model = seed(stand, options.messages), stand.create_model(Plan("paragraphs", 200, 100))
        print(f"{options.messages:,} messages made in {time.monotonic() - began:.0f} s", flush=True)
        log = Log()
        log.listen()
        from django.db import connection

        connection.close()
        asyncio.run(use(who, count_conversations(options.messages), model))
        explained = log.explain()
        print(f"{'count':>6} {'plan, ms':>9} {'total, ms':>9} {'rows read':>9}")
        for each in explained[: options.top]:
            print(each.row, flush=True)
        if many := [each for each in explained[options.top :] if each.most_read > MANY]:
            print("Others that read many rows:", *(each.row for each in many), sep="\n")


if __name__ == "__main__":
    main()
