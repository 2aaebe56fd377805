from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        from accounts import sessions
        from conversations.live.hub import CHECK_AGAIN, hub, person_topic
        from conversations.prompt import builtin_tools

        sessions.on_session_end(lambda person_pk: hub.publish(person_topic(person_pk), CHECK_AGAIN))
        builtin_tools.register()
