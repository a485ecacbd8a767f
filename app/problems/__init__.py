"""Errors and their answers: problem documents (RFC 9457) and what they say is allowed."""
