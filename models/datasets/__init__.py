"""Data sets: pictures of strangers in, packed arrays out."""
