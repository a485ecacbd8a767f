"""Datasets: pictures of strangers in, packed arrays out."""
