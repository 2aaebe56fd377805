"""Site-wide wiring: settings, addresses, the ASGI application; no domain."""
