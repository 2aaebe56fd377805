"""`manage.py doctor`: examines the installation, also while the site does not run."""

import asyncio
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chatsite.doctor.examination import DATABASE, Report, count_levels, examine, is_any_broken
from chatsite.doctor.findings import Diagnosis, Level
from chatsite.doctor.trials import try_mail, try_model_servers


class Command(BaseCommand):
    help = "Examines the installation. Ends with status 1 if something is broken."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--mail", metavar="ADDRESS", help="also send a test message to this address")
        parser.add_argument("--offline", action="store_true", help="do not test the connections to model servers")

    def handle(self, *args: Any, mail: str | None, offline: bool, **options: Any) -> None:
        reports = asyncio.run(self.examine(mail, offline=offline))
        for report in reports:
            self.stdout.write(report.topic)
            for finding in report.findings:
                self.print(finding)
        counts = count_levels(reports)
        self.stdout.write(", ".join(f"{number} {level.lower()}" for level, number in counts.items()))
        if counts[Level.BROKEN]:
            raise SystemExit(1)

    async def examine(self, mail: str | None, *, offline: bool) -> list[Report]:
        reports = await examine()
        if not offline and not is_any_broken(report for report in reports if report.topic == DATABASE):
            reports.append(await try_model_servers())
        if mail:
            reports.append(await try_mail(mail))
        return [report for report in reports if report.findings]

    def print(self, finding: Diagnosis) -> None:
        self.stdout.write(f"  {finding.level:<10}  {finding.words}")
        if finding.advice:
            self.stdout.write(f"  {'':<10}  {finding.advice}")
