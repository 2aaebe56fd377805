"""What people do in a conversation, one module for each kind of act."""
