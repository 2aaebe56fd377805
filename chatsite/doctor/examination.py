"""Runs all checks, each topic in a thread of its own and within a time limit."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from chatsite.doctor.checks import database, keys, left_behind, machine, mail, processes, settings, uploads, upstreams
from chatsite.doctor.findings import Check, Diagnosis, Level, broken
from chatsite.failures.failure_log import SHORTAGES
from chatsite.installation.start_faults import describe_start_fault
from chatsite.monitoring.inquiry import Inquiry

LIMIT: Final = 6.0
"""Seconds for the checks of a topic. Some watch other processes for almost three."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    topic: str
    findings: list[Diagnosis]


class Topic:
    """Checks that need the same thing, and would all wait for it."""

    def __init__(self, name: str, *checks: Check) -> None:
        self.name, self._checks = name, checks
        self._inquiry, self._limit = Inquiry(self._examine, "doctor", limit=LIMIT), LIMIT
        self._found: list[Diagnosis] = []

    async def report(self) -> Report:
        """Returns within LIMIT. A check that still hangs from an earlier call is not started again."""
        try:
            return Report(self.name, await self._inquiry.ask())
        except TimeoutError:
            hangs = broken(
                f"Not everything here answered within {self._limit:g} seconds.",
                "See what is broken elsewhere on this list, and the load of this machine and of the database.",
            )
            return Report(self.name, [*self._found, hangs])

    def _examine(self) -> list[Diagnosis]:
        found: list[Diagnosis] = []
        self._found = found
        try:
            for check in self._checks:
                found += run(check)
        finally:
            # The thread is rarely needed. Its connection would stay open.
            if not connection.in_atomic_block:
                connection.close()
        return found


def run(check: Check) -> Iterable[Diagnosis]:
    """Returns the findings of a check, or why it could not find anything."""
    try:
        return list(check())
    except (*SHORTAGES, ImproperlyConfigured) as fault:
        return [broken(describe_start_fault(fault), "Mend this first: other findings may depend on it.")]
    except Exception as error:
        logger.exception("The check %s failed", check.__name__)
        words = f"A check failed ({check.__name__.replace('_', ' ')}: {type(error).__name__})."
        return [broken(words, "This is a fault of chatsite. The log has its details.")]


DATABASE: Final = "Database"
MODEL_SERVERS: Final = "Model servers"
SEVERITY: Final = {Level.BROKEN: 0, Level.LOOK: 1, Level.OK: 2}

CONNECTION: Final = Topic(DATABASE, database.check_connection)
WITHOUT_DATABASE: Final = (
    Topic("Settings", settings.check_debug, settings.check_names, settings.check_tls, settings.check_metrics),
    Topic("Redis", processes.check_redis, processes.check_bus),
    Topic("Machine", machine.check_writing, machine.check_space, machine.check_open_files, upstreams.check_clock),
    Topic("Attached files", uploads.check_place, uploads.check_encryption),
    Topic("Mail", mail.check_mail),
    Topic("Keys", keys.check_strength, keys.check_modes, keys.check_fallbacks),
    Topic("Left behind", left_behind.check_partial_files),
)
SCHEMA: Final = Topic(
    DATABASE, database.check_version, database.check_migrations, database.check_connections, database.check_clocks
)
WITH_DATABASE: Final = (
    Topic("Keys", keys.check_fingerprints, keys.check_sealed),
    Topic("Processes", processes.check_company, processes.check_answers),
    Topic(MODEL_SERVERS, upstreams.check_models, upstreams.check_listings),
    Topic("Left behind", left_behind.check_restore, left_behind.check_files, left_behind.check_answers),
)
ORDER: Final = (
    *("Settings", "Keys", DATABASE, "Redis", "Processes"),
    *("Machine", "Attached files", "Mail", MODEL_SERVERS, "Left behind"),
)  # fmt: skip


async def examine() -> list[Report]:
    """Returns a report for each topic that has findings. Leaves out what needs the database if that is broken."""
    others = asyncio.gather(*(topic.report() for topic in WITHOUT_DATABASE))
    reports = [await CONNECTION.report()]
    if not is_any_broken(reports):
        reports.append(await SCHEMA.report())
    if not is_any_broken(reports):
        reports += await asyncio.gather(*(topic.report() for topic in WITH_DATABASE))
    reports += await others
    found = {name: [each for report in reports if report.topic == name for each in report.findings] for name in ORDER}
    return sort([Report(name, findings) for name, findings in found.items() if findings])


def is_any_broken(reports: Iterable[Report]) -> bool:
    return any(finding.level is Level.BROKEN for report in reports for finding in report.findings)


def sort(reports: Iterable[Report]) -> list[Report]:
    """Puts the worst topics and findings first."""
    sorted_within = [
        Report(report.topic, sorted(report.findings, key=lambda finding: SEVERITY[finding.level])) for report in reports
    ]
    return sorted(sorted_within, key=lambda report: SEVERITY[report.findings[0].level])


def count_levels(reports: Iterable[Report]) -> dict[Level, int]:
    """The number of findings of each level, the worst first."""
    levels = [finding.level for report in reports for finding in report.findings]
    return {level: levels.count(level) for level in SEVERITY}
