"""A generator at work: weights files, latents, and the engines that run it on a CPU or a GPU."""
