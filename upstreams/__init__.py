"""What we talk to: model servers, over the Messages and Chat Completions protocols."""
