from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        from accounts import sessions
        from gateway.serving import running

        sessions.on_session_end(lambda _: running.local.check_soon())
