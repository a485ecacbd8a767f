"""Directions of a version's latent space: what they are called, and how well they work."""
