"""How the numbers and codes of an address are spelled."""

import base64
from fractions import Fraction

DECIMAL = 3  # digits behind the point, at most


def decimal(value: Fraction) -> str:
    """Return a number with one to three digits behind its point, e.g. "-1.5" or "2.0"."""
    # Never without a point: the number of a child may follow, as in `3x11_ginger2.0.4`.
    digits = f"{abs(value.numerator) * 10**DECIMAL // value.denominator:04d}"
    fraction = digits[-DECIMAL:].rstrip("0") or "0"
    return f"{'-' if value < 0 else ''}{digits[:-DECIMAL]}.{fraction}"


def share_text(share: Fraction) -> str:
    """Return a share as a decimal where three digits are enough, else as "5of47"."""
    if 10**DECIMAL % share.denominator == 0:
        return decimal(share)
    return f"{share.numerator}of{share.denominator}"


def base64url(data: bytes) -> str:
    """Return bytes in the alphabet of URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes of a text; ValueError if its length fits no number of bytes."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
