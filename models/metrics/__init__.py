"""How good the cats are: features, the Frechet distance, kept reference statistics."""
