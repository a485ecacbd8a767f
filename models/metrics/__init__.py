"""How good the images are: feature networks, distances between sets, and stored references."""
