"""One pair of networks under training: a discriminator update, a generator update, all state.

The step follows the original script: real and made pictures are scored apart
(batch norm sees them apart), the same made pictures serve both updates, and
the discriminator moves first.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.averaging import MovingAverage
from models.data import BatchStream, to_unit_range
from models.precision import Precision
from models.recipes import Recipe, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLosses:
    """Losses and mean scores of one step; scalars left on the device.

    Attributes:
        discriminator: The discriminator's loss.
        generator: The generator's loss.
        real: Mean logit of real pictures.
        fake: Mean logit of made pictures, before the generator's update.
    """

    discriminator: Tensor
    generator: Tensor
    real: Tensor
    fake: Tensor

    def values(self) -> dict[str, float]:
        """Read them back from the device."""
        names = ("discriminator", "generator", "real", "fake")
        stacked = torch.stack([getattr(self, name) for name in names]).tolist()
        return dict(zip(names, stacked, strict=True))


class Trainer:
    """Networks, optimizers, average, random numbers and place in the data.

    Args:
        recipe: The recipe.
        settings: Its numbers, overrides applied.
        size_px: Side of the pictures.
        stream: Real pictures; the trainer advances it.
        seed: Seeds weights, latents and mirroring.
        device: Where to compute.
        precision: Number format of the forward passes.
    """

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        size_px: int,
        stream: BatchStream,
        *,
        seed: int,
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.recipe, self.settings, self.device, self.precision = (
            recipe,
            settings,
            device,
            precision,
        )
        self.stream = stream
        self.config = recipe.network_config(size_px, settings)
        self.random = torch.Generator(device).manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # initializers draw from the default generator
            self.generator = self._place(recipe.networks.generator(self.config))
            self.discriminator = self._place(recipe.networks.discriminator(self.config))
        self.average = MovingAverage(self.generator, settings.ema)
        self.optimizers = {
            "generator": self._adam(self.generator, settings.lr_generator),
            "discriminator": self._adam(self.discriminator, settings.lr_discriminator),
        }
        self.step_count = 0

    def _place(self, module: nn.Module) -> nn.Module:
        # channels_last: the layout in which convolution kernels are fastest (benchmarks/).
        return module.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _adam(self, module: nn.Module, lr: float) -> torch.optim.Adam:
        betas = (self.settings.beta1, self.settings.beta2)
        return torch.optim.Adam(module.parameters(), lr=lr, betas=betas, fused=True)

    def step(self) -> StepLosses:
        """Update the discriminator, the generator and the average, once each."""
        real = self._next_real()
        z = self._latents(len(real))
        fake, loss_d, mean_real, mean_fake = self._discriminator_step(real, z)
        loss_g = self._generator_step(real, fake)
        self.average.update(self.step_count)
        self.step_count += 1
        return StepLosses(discriminator=loss_d, generator=loss_g, real=mean_real, fake=mean_fake)

    def _next_real(self) -> Tensor:
        pictures = to_unit_range(self.stream.next())
        if not self.settings.mirror:
            return pictures
        coins = torch.rand(len(pictures), 1, 1, 1, generator=self.random, device=self.device)
        return torch.where(coins < 0.5, pictures, pictures.flip(3))

    def _latents(self, count: int) -> Tensor:
        shape = (count, self.settings.z_dim)
        return torch.randn(shape, generator=self.random, device=self.device)

    def _discriminator_step(self, real: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Update the discriminator; return made pictures (with their graph), loss, mean scores."""
        with self.precision.context(self.device):
            fake = self.generator(z)
            logits_real = self.discriminator(real).float()
            logits_fake = self.discriminator(fake.detach()).float()
        loss = self.recipe.objective.discriminator(logits_real, logits_fake)
        self._update("discriminator", self.discriminator, loss)
        return fake, loss.detach(), logits_real.detach().mean(), logits_fake.detach().mean()

    def _generator_step(self, real: Tensor, fake: Tensor) -> Tensor:
        """Update the generator through the frozen discriminator; return the loss."""
        self.discriminator.requires_grad_(requires_grad=False)
        with self.precision.context(self.device):
            logits_fake = self.discriminator(fake).float()
            # Only a relativistic loss looks at real pictures; others save the pass.
            scores_real = self.recipe.objective.is_relativistic
            logits_real = self.discriminator(real).float() if scores_real else logits_fake
        loss = self.recipe.objective.generator(logits_real, logits_fake)
        self._update("generator", self.generator, loss)
        self.discriminator.requires_grad_(requires_grad=True)
        return loss.detach()

    def _update(self, name: str, module: nn.Module, loss: Tensor) -> None:
        module.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.optimizers[name].step()
