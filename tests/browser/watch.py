"""Watches a browser and records everything that goes wrong in its pages."""

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Page, Request

IN_THE_PAGE = """
    addEventListener("securitypolicyviolation", (event) => {
        report(`CSP: ${event.effectiveDirective} refused ${event.blockedURI} ${event.sample} in ${event.sourceFile}`);
    });
    window.hit = (number) => report(`hit ${number}`);
    // Lets a test close a page's connection.
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
        constructor(...address) { super(...address); sockets.push(this); }
    };
"""


class Watch:
    def __init__(self, *origins: str) -> None:
        self._origins = tuple(f"{origin}/" for origin in origins)
        # After a deletion, the page requests the conversation to learn why its socket closed.
        # htmx logs a request that a newer one replaces.
        self._expected: list[str] = ["status of 404 (Not Found)", "AbortError: signal is aborted without reason"]
        self._recorded: list[str] = []

    def watch_also(self, origin: str) -> None:
        """Allows requests to another site."""
        self._origins += (f"{origin}/",)

    def expect(self, *words: str) -> None:
        """Allows troubles that contain one of these texts."""
        self._expected += words

    @property
    def troubles(self) -> list[str]:
        return [trouble for trouble in self._recorded if not any(words in trouble for words in self._expected)]

    async def attach(self, context: BrowserContext) -> None:
        await context.expose_binding("report", lambda _, words: self._recorded.append(words))
        await context.add_init_script(IN_THE_PAGE)
        context.on("request", self._on_request)
        context.on("page", self._on_page)

    def _on_page(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._recorded.append(f"page error: {error}"))
        page.on("dialog", self._on_dialog)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._recorded.append(f"console: {message.text} {message.location.get('url', '')}")

    async def _on_dialog(self, dialog: Dialog) -> None:
        # The browser asks this when somebody leaves a page with unsent text.
        if dialog.type != "beforeunload":
            self._recorded.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((*self._origins, "data:", "blob:")) or "/hit/" in request.url:
            self._recorded.append(f"request: {request.url}")
