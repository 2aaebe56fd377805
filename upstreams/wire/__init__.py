"""The bytes on the wire, whatever they mean: server-sent events, and JSON as servers write it."""
