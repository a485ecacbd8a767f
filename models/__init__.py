"""Everything that knows GANs: plain PyTorch, no web, no queue.

Dimension letters used in every docstring of this package: N batch, Z latent,
C color, H and W pixels. Importing this package imports no torch.
"""
