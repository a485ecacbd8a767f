"""Datasets: images of strangers in, packed arrays out."""
