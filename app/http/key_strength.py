"""Whether a key that somebody chose could be guessed."""

import re

LEAST_CHARACTERS = 16
LEAST_DISTINCT = 8

# What people write where a key is asked for, and what their fingers find on a keyboard.
_KNOWN = re.compile(
    r"password|passw0rd|passwort|secret|changeme|change-me|change_me|letmein|welcome|default|"
    r"example|cattery|token|admin|api-?key|test|qwertyuiop|qwerty|asdfghjkl|zxcvbnm|"
    r"abcdefghijklmnopqrstuvwxyz|abcdef|0123456789|1234567890|123456|deadbeef",
    re.IGNORECASE,
)


def weakness_of(key: str) -> str | None:
    """Return what makes a key easy to guess, half a sentence; None if nothing does."""
    if len(key) < LEAST_CHARACTERS:
        return f"has {len(key)} characters, fewer than {LEAST_CHARACTERS}"
    if key in (key + key)[1:-1]:
        return "repeats itself"
    rest = _KNOWN.sub("", key)
    if len(rest) < LEAST_CHARACTERS // 2:
        return "consists of well-known words"
    if len(set(rest)) < LEAST_DISTINCT:
        return f"has fewer than {LEAST_DISTINCT} different characters"
    return None
