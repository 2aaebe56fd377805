"""The heart: conversations, their messages, and the replies that grow in them."""
