"""`manage.py backup`: one file with everything that a site needs."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatsite.backups.archive import BackupFault
from chatsite.backups.making import make_backup, stream_backup
from chatsite.failures.faults import UploadsUnavailable
from chatsite.values.figures import size


class Command(BaseCommand):
    help = "Writes the database, the uploads and the secrets to one file, also while the site runs."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the backup to write, or - for the standard output")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        try:
            if file == "-":
                report = stream_backup(sys.stdout.buffer)
            else:
                report = make_backup(Path(file))
                self.stdout.write(f"Backed up {report.files} attached files to {file} ({size(report.size)}).")
        except (BackupFault, UploadsUnavailable) as fault:
            raise CommandError(f"No backup was written. {fault}") from fault
        except OSError as error:
            raise CommandError(f"No backup was written. {error.strerror}: {error.filename or file}.") from error
        for warning in report.warnings:
            self.stderr.write(warning)
