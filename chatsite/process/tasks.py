"""The task backend of a site in one process: tasks run on the server's own event loop."""

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

from asgiref.sync import async_to_sync
from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.utils import timezone
from django.utils.crypto import get_random_string

from chatsite.logs.request_ids import get_request_id, set_request_id

logger = logging.getLogger(__name__)

_running: set[asyncio.Task[Any]] = set()


class EventLoopBackend(BaseTaskBackend):
    """Runs coroutine tasks on the running event loop. Nothing waits for them.

    A task ends with its process, so callers keep in the database what has to be resumed after a start.
    """

    supports_async_task = True

    def enqueue[**P, R](self, task: "Task[P, R]", args: list[Any], kwargs: dict[str, Any]) -> "TaskResult[P, R]":
        # From the thread of a view, this reaches the loop that serves the request.
        return async_to_sync(self.aenqueue)(task, args, kwargs)

    async def aenqueue[**P, R](self, task: "Task[P, R]", args: list[Any], kwargs: dict[str, Any]) -> "TaskResult[P, R]":
        self.validate_task(task)
        # A fresh context: the request's own would send database work to the request's thread, which is about to end.
        context = Context()
        context.run(set_request_id, get_request_id())
        running = asyncio.get_running_loop().create_task(self._run_logged(task, args, kwargs), context=context)
        _running.add(running)
        running.add_done_callback(_running.discard)
        return TaskResult(
            task=task,
            id=get_random_string(32),
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )

    async def _run_logged(self, task: "Task[..., Any]", args: list[Any], kwargs: dict[str, Any]) -> None:
        work: Coroutine[Any, Any, Any] = task.func(*args, **kwargs)
        try:
            await work
        except Exception:
            logger.exception("Task %s%r failed", task.name, tuple(args))
