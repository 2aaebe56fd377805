"""Model servers, over the Messages and the Chat Completions protocol."""
