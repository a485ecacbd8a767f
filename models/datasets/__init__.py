"""Datasets: untrusted images in, packed arrays out."""
