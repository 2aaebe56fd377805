"""Tells systemd when this process is ready, that it does not hang, and when it stops. Elsewhere, does nothing."""

import asyncio
import os
import socket
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def notify(state: str) -> None:
    """Sends a state to the socket that systemd names (see sd_notify(3))."""
    # A leading @ means a socket without a file.
    if address := os.environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(state.encode(), address)


async def report_life() -> None:
    """Keeps systemd from restarting the process, for as long as the event loop runs."""
    # Half of the time after which systemd takes the process for hanging.
    pause = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 / 2
    while pause:
        notify(ALIVE)
        await asyncio.sleep(pause)
