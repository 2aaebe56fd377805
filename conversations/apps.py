import logging

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NO_REDIS = "REDIS_URL needs further packages. Install them: pip install --require-hashes -r requirements-scale.txt"

logger = logging.getLogger(__name__)


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        from accounts import sessions
        from conversations.live.hub import CHECK_AGAIN, hub, person_topic
        from conversations.prompt import builtin_tools

        if settings.REDIS_URL:
            try:
                from chatsite.process.bus import open_bus
            except ModuleNotFoundError as error:
                raise ImproperlyConfigured(NO_REDIS) from error
            hub.bus = open_bus(hub)
        sessions.on_session_end(lambda person_pk: hub.publish(person_topic(person_pk), CHECK_AGAIN))
        sessions.on_session_end(lambda _: end_answers())
        builtin_tools.register()


def end_answers() -> None:
    """Ends the answers of people whose accounts have ended."""
    from django.db import DatabaseError

    from conversations.answering import elsewhere
    from conversations.verbs import turns

    elsewhere.local.stop_without_asker()
    try:
        turns.end_answers_without_asker()
    except DatabaseError:
        logger.warning("Could not end the answers of a person; the next check will", exc_info=True)
