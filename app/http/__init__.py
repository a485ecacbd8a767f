"""HTTP itself: connections, negotiation, conditional requests, and who may call."""
