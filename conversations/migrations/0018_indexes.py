"""Adds an index for reading a branch in order, and one of deleted conversations.

Indexes of single columns go with which another index begins. They go by SQL: to alter the fields, SQLite would copy the
tables.
"""

from typing import Any, Final

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

DISPENSABLE: Final = {
    "conversations_message_conversation_id_f1a2d5e9": ("conversations_message", "conversation_id"),
    "conversations_message_branch_id_1d8feb58": ("conversations_message", "branch_id"),
    "conversations_participant_conversation_id_69e50799": ("conversations_participant", "conversation_id"),
    "conversations_participant_user_id_d4e9aff9": ("conversations_participant", "user_id"),
}


def own(model: str, name: str, to: Any, related_name: str) -> migrations.AlterField:
    field = models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name=related_name, to=to
    )
    return migrations.AlterField(model_name=model, name=name, field=field)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0017_thinking_off")]

    operations = [
        migrations.AddIndex("message", models.Index(fields=["branch", "id"], name="message_on_branch")),
        migrations.AddIndex(
            "conversation",
            models.Index(condition=~Q(deleted_at=None), fields=["deleted_at"], name="conversation_deleted"),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"DROP INDEX IF EXISTS {name}", f"CREATE INDEX {name} ON {table} ({column})")
                for name, (table, column) in DISPENSABLE.items()
            ],
            state_operations=[
                own("message", "conversation", "conversations.conversation", "messages"),
                own("message", "branch", "conversations.branch", "messages"),
                own("participant", "conversation", "conversations.conversation", "participants"),
                own("participant", "user", settings.AUTH_USER_MODEL, "participations"),
            ],
        ),
    ]
