"""A plain PyTorch DCGAN loop, to compare with: the structure of the well-known example.

Float32 in the default layout, a sigmoid and `BCELoss`, two backward passes for the
discriminator, one optimizer call after another, losses read back at every step, a `DataLoader`
that shuffles. It is spared the decoding of pictures: they are tensors already.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from models.hyperparameters import Settings


def generator(z_dim: int, width: int) -> nn.Sequential:
    """Return a generator of 64 px pictures: (N, Z, 1, 1) to (N, 3, 64, 64)."""
    layers: list[nn.Module] = []
    channels = [z_dim, 8 * width, 4 * width, 2 * width, width]
    for index, (inner, outer) in enumerate(pairwise(channels)):
        stride, padding = (1, 0) if index == 0 else (2, 1)
        layers += [
            nn.ConvTranspose2d(inner, outer, 4, stride, padding, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())


def discriminator(width: int) -> nn.Sequential:
    """Return a discriminator of 64 px pictures: (N, 3, 64, 64) to probabilities (N,)."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, width, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
    ]
    for inner in (width, 2 * width, 4 * width):
        layers += [
            nn.Conv2d(inner, 2 * inner, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * inner),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    head = nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False)
    return nn.Sequential(*layers, head, nn.Sigmoid(), nn.Flatten(0))


def draw_weights(module: nn.Module) -> None:
    """Draw a layer's first weights as the paper has them."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def endless_batches(pictures: Tensor, batch: int, device: torch.device) -> Iterator[Tensor]:
    """Yield shuffled batches in [-1, 1] for ever; two processes make them, as in the example.

    On a CPU none does: they would take the cores that train.
    """
    workers = 2 if device.type == "cuda" else 0
    loader = DataLoader(
        TensorDataset(pictures.float() / 127.5 - 1),
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    while True:
        for (pictures_in_range,) in loader:
            yield pictures_in_range


class PlainDcgan:
    """The loop, one step at a time.

    Args:
        pictures: (N, 3, 64, 64) uint8.
        settings: Width, batch, latent size and Adam's numbers.
        device: Where to compute.
    """

    def __init__(self, pictures: Tensor, settings: Settings, device: torch.device) -> None:
        self._settings, self._device = settings, device
        self.generator = generator(settings.z_dim, settings.width).to(device)
        self.discriminator = discriminator(settings.width).to(device)
        self.generator.apply(draw_weights)
        self.discriminator.apply(draw_weights)
        betas = (settings.beta1 or 0.0, settings.beta2)
        self._adam_g = torch.optim.Adam(
            self.generator.parameters(), lr=settings.lr_generator, betas=betas
        )
        self._adam_d = torch.optim.Adam(
            self.discriminator.parameters(), lr=settings.lr_discriminator, betas=betas
        )
        self._loss = nn.BCELoss()
        self._batches = endless_batches(pictures, settings.batch, device)

    def step(self) -> tuple[float, float]:
        """Update both networks once; return their losses."""
        real = next(self._batches).to(self._device)
        ones = torch.ones(len(real), device=self._device)
        z = torch.randn(len(real), self._settings.z_dim, 1, 1, device=self._device)

        self.discriminator.zero_grad()
        loss_real = self._loss(self.discriminator(real), ones)
        loss_real.backward()
        fake = self.generator(z)
        loss_fake = self._loss(self.discriminator(fake.detach()), torch.zeros_like(ones))
        loss_fake.backward()
        self._adam_d.step()

        self.generator.zero_grad()
        loss_g = self._loss(self.discriminator(fake), ones)
        loss_g.backward()
        self._adam_g.step()
        return (loss_real + loss_fake).item(), loss_g.item()
