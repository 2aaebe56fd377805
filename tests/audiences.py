"""The addresses of the site by audience."""

from dataclasses import dataclass

from tests.routes import routes

PROBES = {"healthz"}
"""Answered before the URL resolver. `readyz` needs a whole process."""
PUBLIC_ROUTES = {"accounts/login/", "accounts/set-up/<str:token>/"}
PERSONAL_ROUTES = {
    *("new/settings/", "deleted/"),
    *("", "turns/", "unsent/", "conversations/", "conversations/found/", "attachments/"),
    *("accounts/", "accounts/theme/", "accounts/shortcuts/"),
    *("accounts/again/", "accounts/logout/", "accounts/password/"),
    *("account/keys/", "account/usage/", "account/usage/table.csv", "account/usage/calls.csv"),
}


@dataclass(frozen=True)
class Statuses:
    """The status codes of GET and POST for the owner and for a member. Strangers always get 404."""

    owner: tuple[int, int]
    member: tuple[int, int]


def both(get: int, post: int) -> Statuses:
    return Statuses((get, post), (get, post))


MESSAGE = "conversations/<int:pk>/messages/<int:message_pk>/"
CONVERSATION_ROUTES = {
    "conversations/<int:pk>/": both(200, 405),
    "conversations/<int:pk>/messages/": both(200, 405),
    "conversations/<int:pk>/turns/": both(405, 302),
    "conversations/<int:pk>/stop/": both(405, 302),
    "conversations/<int:pk>/context/": both(200, 405),
    "conversations/<int:pk>/omissions/": both(405, 302),
    "conversations/<int:pk>/omissions/undo/": both(405, 302),
    "conversations/<int:pk>/summaries/": both(405, 302),
    "conversations/<int:pk>/title/": both(200, 302),
    "conversations/<int:pk>/settings/": both(200, 302),
    "conversations/<int:pk>/unsent/": both(405, 204),
    # The test posts no file.
    "conversations/<int:pk>/attachments/": both(405, 422),
    "attachments/<uuid:key>/": both(200, 405),
    "attachments/<uuid:key>/thumbnail/": both(200, 405),
    # A sent file cannot be read again or removed.
    "attachments/<uuid:key>/encoding/": both(405, 404),
    "attachments/<uuid:key>/remove/": both(405, 404),
    "conversations/<int:pk>/members/": Statuses(owner=(200, 422), member=(200, 404)),
    "conversations/<int:pk>/members/<int:person_pk>/remove/": Statuses(owner=(405, 200), member=(405, 404)),
    "conversations/<int:pk>/delete/": Statuses(owner=(405, 302), member=(405, 404)),
    # The conversation is not deleted, so it cannot be restored.
    "conversations/<int:pk>/restore/": both(405, 404),
    MESSAGE + "source/": both(200, 405),
    MESSAGE + "retries/": both(405, 302),
    # Nobody can edit a model's message.
    MESSAGE + "edits/": both(403, 403),
    MESSAGE + "continuations/": both(405, 302),
    # No tool call waits for a decision.
    MESSAGE + "tool-decisions/": both(405, 404),
    MESSAGE + "delete/": Statuses(owner=(405, 302), member=(405, 403)),
    MESSAGE + "restore/": both(405, 404),
    MESSAGE + "forks/": both(405, 302),
}
PROVIDER_ROUTES = {
    "settings/providers/",
    "settings/providers/add/",
    "settings/providers/trial/",
    "settings/providers/<int:pk>/",
    "settings/providers/<int:pk>/edit/",
    "settings/providers/<int:pk>/edit/trial/",
    "settings/providers/<int:pk>/enabling/",
    "settings/providers/<int:pk>/delete/",
    "settings/providers/<int:pk>/trial/",
    "settings/providers/<int:pk>/listing/",
    "settings/providers/<int:provider_pk>/models/",
    "settings/providers/<int:provider_pk>/models/add/",
    "settings/providers/<int:provider_pk>/models/enabling/",
    "settings/models/<int:pk>/",
    "settings/models/<int:pk>/enabling/",
    "settings/models/<int:pk>/default/",
    "settings/models/<int:pk>/delete/",
}
TOOL_ROUTES = {
    "settings/tools/",
    "settings/tools/servers/add/",
    "settings/tools/servers/<int:server_pk>/",
    "settings/tools/servers/<int:server_pk>/edit/",
    "settings/tools/servers/<int:server_pk>/enabling/",
    "settings/tools/servers/<int:server_pk>/delete/",
    "settings/tools/servers/<int:server_pk>/check/",
    "settings/tools/<int:tool_pk>/",
    "settings/tools/<int:tool_pk>/allowing/",
    "settings/tools/<int:tool_pk>/asking/",
}
KEY_ROUTES = {"settings/keys/", "settings/keys/<int:key_pk>/revoke/"}
LEDGER_ROUTES = {
    "settings/usage/",
    "settings/usage/table.csv",
    "settings/usage/calls.csv",
    "settings/budgets/",
    "settings/budgets/add/",
    "settings/budgets/<int:budget_pk>/",
    "settings/budgets/<int:budget_pk>/remove/",
    "settings/limits/add/",
    "settings/limits/<int:limit_pk>/",
    "settings/limits/<int:limit_pk>/remove/",
}
SYSTEM_ROUTES = {"settings/system/", "settings/system/mail/", "settings/system/socket/"}
ERROR_ROUTES = {
    "settings/errors/",
    "settings/errors/<int:group_pk>/",
    "settings/errors/<int:group_pk>/resolve/",
    "settings/errors/<int:group_pk>/reopen/",
}
SETTINGS_ROUTES = PROVIDER_ROUTES | TOOL_ROUTES | KEY_ROUTES | LEDGER_ROUTES | SYSTEM_ROUTES | ERROR_ROUTES
# These rows are Ada's. Everyone else gets 404, administrators included.
PRIVATE_ROUTES = {"account/keys/<int:key_pk>/revoke/"}
REDIRECTS = {"settings/"}
ADMIN_ROUTES = {route for route in routes() if route.startswith("admin/")}
ADMIN_MODELS = {
    *("auth.Group", "accounts.User", "upstreams.Provider", "upstreams.ChatModel"),
    *("conversations.Conversation", "conversations.Message", "conversations.Generation", "ledger.Entry"),
}
ALL_ROUTES = (
    PUBLIC_ROUTES
    | PERSONAL_ROUTES
    | PRIVATE_ROUTES
    | set(CONVERSATION_ROUTES)
    | SETTINGS_ROUTES
    | REDIRECTS
    | ADMIN_ROUTES
)
