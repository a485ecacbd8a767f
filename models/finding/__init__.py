"""Finding the point of the latent space whose cat resembles a photograph most."""
