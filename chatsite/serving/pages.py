"""Runs requests for pages in threads, a few at a time, and serves static files on the event loop."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from inspect import iscoroutinefunction
from typing import Any, Final

from asgiref.sync import sync_to_async  # noqa: TID251  Django returns the connection after the request.
from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase
from servestatic.middleware import ServeStaticMiddleware

from chatsite.process import threads

AT_A_TIME: Final = 8
"""Requests that run at the same time. With more, each takes longer, and so do all running answers."""


class PageHandler(ASGIHandler):
    """Runs the middleware and the view of a request in one call on its thread.

    Django would go to the thread and back about twenty times, which costs more than posting a turn and, in a crowd, a
    place in the queue of threads each time.
    """

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_A_TIME)
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        await self._slots.acquire()
        slot = threads.Slot(self._slots)
        # A context of its own. Otherwise asgiref would copy the thread's back even while the view still runs, because
        # the person has left, and the rest of the request would wait for an executor that is about to end.
        context = copy_context()
        try:
            return await sync_to_async(slot.run, context=context)(self.get_response, request)
        finally:
            slot.give_up()

    def make_view_atomic(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """An asynchronous view waits for others most of the time, so it needs no slot."""
        view = super().make_view_atomic(view)
        if not iscoroutinefunction(view):
            return view

        def give_up_slot(*arguments: Any, **named: Any) -> Any:
            threads.give_up_slot()
            return sync(*arguments, **named)

        sync = self.adapt_method_mode(False, view)
        return give_up_slot


class StaticFiles(ServeStaticMiddleware):  # type: ignore[misc]
    """Serves static files on the event loop. Requests that run in a thread leave it out: see asgi.py."""

    sync_capable = True

    def __init__(self, get_response: Any) -> None:
        if not iscoroutinefunction(get_response):
            raise MiddlewareNotUsed
        super().__init__(get_response)
