"""How good the cats are: feature networks, distances between sets, and what they are kept as."""
