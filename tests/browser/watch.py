"""Watches a browser: whatever goes wrong in one of its pages, seen or unseen, fails the test."""

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Page, Request

IN_THE_PAGE = """
    addEventListener("securitypolicyviolation", (event) => {
        report(`CSP: ${event.effectiveDirective} refused ${event.blockedURI} ${event.sample} in ${event.sourceFile}`);
    });
    window.hit = (number) => report(`hit ${number}`);
    // Kept, so that a test can take a page's connection away.
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
        constructor(...address) { super(...address); sockets.push(this); }
    };
"""


class Watch:
    def __init__(self, *origins: str) -> None:
        self._origins = tuple(f"{origin}/" for origin in origins)
        # When a conversation is gone, its page asks why its socket was closed; how soon is the network's affair.
        # A question that a newer one takes the place of is given up, and htmx says so.
        self._expected: list[str] = ["status of 404 (Not Found)", "AbortError: signal is aborted without reason"]
        self._seen: list[str] = []

    def watch_also(self, origin: str) -> None:
        """Another site that the test is about."""
        self._origins += (f"{origin}/",)

    def expect(self, *words: str) -> None:
        """A trouble with these words in it is what the test is about."""
        self._expected += words

    @property
    def troubles(self) -> list[str]:
        return [trouble for trouble in self._seen if not any(words in trouble for words in self._expected)]

    async def over(self, context: BrowserContext) -> None:
        await context.expose_binding("report", lambda _, words: self._seen.append(words))
        await context.add_init_script(IN_THE_PAGE)
        context.on("request", self._on_request)
        context.on("page", self._on_page)

    def _on_page(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._seen.append(f"page error: {error}"))
        page.on("dialog", self._on_dialog)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._seen.append(f"console: {message.text} {message.location.get('url', '')}")

    async def _on_dialog(self, dialog: Dialog) -> None:
        # Leaving a page with something in its fields is nobody's attack.
        if dialog.type != "beforeunload":
            self._seen.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((*self._origins, "data:", "blob:")) or "/hit/" in request.url:
            self._seen.append(f"request: {request.url}")
