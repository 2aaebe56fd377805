import logging

from django.apps import AppConfig

logger = logging.getLogger(__name__)


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        from accounts import sessions
        from conversations.live.hub import CHECK_AGAIN, hub, person_topic
        from conversations.prompt import builtin_tools

        sessions.on_session_end(lambda person_pk: hub.publish(person_topic(person_pk), CHECK_AGAIN))
        sessions.on_session_end(lambda _: end_answers())
        builtin_tools.register()


def end_answers() -> None:
    """Ends the answers of people whose accounts have ended."""
    from django.db import DatabaseError

    from conversations.verbs import turns

    try:
        turns.end_answers_without_asker()
    except DatabaseError:
        logger.warning("Could not end the answers of a person; the next check will", exc_info=True)
