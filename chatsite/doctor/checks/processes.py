"""The processes that share the database, and Redis between them."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from chatsite.doctor.findings import Diagnosis, broken, count, look_at, ok
from chatsite.installation.data_lock import is_data_locked
from chatsite.models import Process
from chatsite.process import lease
from conversations.live.hub import hub
from conversations.models import Generation

REDIS_TIMEOUT: Final = 2.0
OLDEST_REDIS: Final = 6
LONGEST_QUOTE: Final = 200
SLOW: Final = 0.1
"""Seconds. People notice a longer way through Redis."""
LONG_QUEUED: Final = timedelta(seconds=15)


def check_company() -> Iterator[Diagnosis]:
    living = count_living()
    if connection.vendor == "postgresql" and living > 1 and not settings.REDIS_URL:
        yield broken(
            f"{living} processes use the database, and REDIS_URL is not set: people at one do not see live what "
            "another writes.",
            "Set the same REDIS_URL for all processes.",
        )
    elif living:
        yield ok(f"{living} process{'es use' if living > 1 else ' uses'} the database.")
    else:
        yield look_at("No process of the site is running.", "Start the site with `make serve`.")


def check_answers() -> Iterator[Diagnosis]:
    living = find_living()
    if living and not Process.objects.filter(pk__in=living, takes_work=True).exists():
        yield broken(
            "No process writes answers: SERVE_ANSWERS is off, and `manage.py work` does not run.",
            "Start `manage.py work`, or set SERVE_ANSWERS=true.",
        )
    waiting = Generation.objects.next_in_line().filter(queued_at__lt=now() - LONG_QUEUED).count()
    if waiting:
        yield broken(
            f"{count(waiting, 'answer')} {'has' if waiting == 1 else 'have'} been waiting for a process for more than "
            f"{LONG_QUEUED.seconds} seconds.",
            "Start `manage.py work`, or set SERVE_ANSWERS=true for a process of `serve`.",
        )


def check_redis() -> Iterator[Diagnosis]:
    if not settings.REDIS_URL:
        return
    # Installed only where REDIS_URL asks for it.
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    limits = {"socket_timeout": REDIS_TIMEOUT, "socket_connect_timeout": REDIS_TIMEOUT, "retry": Retry(NoBackoff(), 0)}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **limits) as client:
            begun = time.monotonic()
            client.ping()
            delay = time.monotonic() - begun
            version = str(client.info("server").get("redis_version", ""))
    except (redis.RedisError, OSError) as error:
        words = " ".join(str(error).split())[:LONGEST_QUOTE].rstrip(".")
        yield broken(
            f"Redis does not answer ({type(error).__name__}: {words}).",
            "Check REDIS_URL, that Redis is running, and that its user and password are right.",
        )
        return
    yield ok(f"Redis {version} answers in {delay * 1000:.1f}\N{NO-BREAK SPACE}ms.")
    if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < OLDEST_REDIS:
        yield look_at(f"Redis {version} is too old.", f"Update it to version {OLDEST_REDIS} or later.")


def check_bus() -> Iterator[Diagnosis]:
    """Only a running process has a bus that hears."""
    if not hub.bus or not lease.local.key:
        return
    if not hub.bus.hears_itself:
        yield broken(
            "This process does not hear its own messages through Redis.",
            "Check that Redis is running, and that its user may use the channels &chatsite:*.",
        )
    elif hub.bus.lag > SLOW:
        yield look_at(
            f"A message took {hub.bus.lag * 1000:.0f}\N{NO-BREAK SPACE}ms through Redis, so people see answers late.",
            "Run Redis near the processes, and check how busy both are.",
        )


def count_living() -> int:
    """Counts processes that are alive. Takes a few seconds if this process is not one of them."""
    if connection.vendor == "sqlite":
        return int(is_data_locked() or lease.local.key != 0)
    return len(find_living())


def find_living() -> set[int]:
    """Returns the keys of processes that are alive, except on SQLite, where the only one does not beat."""
    if connection.vendor == "sqlite":
        return set()
    # A process that runs deletes the rows of dead ones.
    return set(Process.objects.values_list("pk", flat=True)) if lease.local.key else lease.find_living()
