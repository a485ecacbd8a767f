"""A plain PyTorch loop of any recipe, to compare with: what one writes first.

The recipe's own networks, losses, penalty and augmentation, in the manner of the well-known
DCGAN example (`benchmarks.plain_dcgan` is that example itself): float32 in the default layout,
the optimizer as torch sets it up, one kernel launched after another, a generator's update whose
backward pass also fills the discriminator's gradients, losses read back at every step, a
`DataLoader` that shuffles. It is spared the decoding of pictures, mirroring and averaging.
"""

import torch
from torch import Tensor, nn

from benchmarks.plain_dcgan import endless_batches
from models.gan.augment import augment
from models.gan.recipe import Recipe
from models.gan.regularizers import CriticPass
from models.hyperparameters import Settings
from models.networks.spectral import normalize


class PlainLoop:
    """The loop, one step at a time.

    Args:
        recipe: The recipe.
        pictures: (N, 3, H, H) uint8.
        settings: Its numbers.
        device: Where to compute.
    """

    def __init__(
        self, recipe: Recipe, pictures: Tensor, settings: Settings, device: torch.device
    ) -> None:
        self._recipe, self._settings, self._device = recipe, settings, device
        config = recipe.network_config(pictures.shape[2], settings)
        generator = recipe.networks.generator(config)
        if recipe.networks.normalize_generator:
            normalize(generator)
        self.generator = generator.to(device)
        self.discriminator = recipe.networks.discriminator(config).to(device)
        self._optimizer_g = self._optimizer(self.generator, settings.lr_generator)
        self._optimizer_d = self._optimizer(self.discriminator, settings.lr_discriminator)
        self._batches = endless_batches(pictures, settings.batch, device)

    def _optimizer(self, module: nn.Module, lr: float) -> torch.optim.Optimizer:
        beta1, beta2 = self._settings.beta1, self._settings.beta2
        parameters = [p for p in module.parameters() if p.requires_grad]
        if beta1 is None:
            return torch.optim.RMSprop(parameters, lr=lr, alpha=beta2)
        return torch.optim.Adam(parameters, lr=lr, betas=(beta1, beta2))

    def step(self) -> tuple[float, float]:
        """Update the discriminator as often as is usual, the generator once; return losses."""
        for _ in range(self._settings.critic_steps or 1):
            real = next(self._batches).to(self._device)
            z = torch.randn(len(real), self._settings.z_dim, device=self._device)
            fake = self.generator(z)
            loss_d = self._update_discriminator(self._seen(real), self._seen(fake.detach()))
        return loss_d, self._update_generator(real, fake)

    def _update_discriminator(self, real: Tensor, fake: Tensor) -> float:
        regularizer = self._recipe.regularizer
        if regularizer.needs_input_grad:
            real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
        self.discriminator.zero_grad()
        logits = self.discriminator(real), self.discriminator(fake)
        loss = self._recipe.objective.discriminator(*logits)
        if regularizer.penalty:
            critic = CriticPass(
                real=real,
                fake=fake,
                logits_real=logits[0],
                logits_fake=logits[1],
                score=self.discriminator,
            )
            loss = loss + regularizer.penalty(critic, self._settings)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._optimizer_d.step()
        if regularizer.constrain:
            regularizer.constrain(self.discriminator, self._settings)
        return loss.item()

    def _update_generator(self, real: Tensor, fake: Tensor) -> float:
        objective = self._recipe.objective
        self.generator.zero_grad()
        logits_fake = self.discriminator(self._seen(fake))
        scores_real = objective.is_relativistic
        logits_real = self.discriminator(self._seen(real)) if scores_real else logits_fake
        loss = objective.generator(logits_real, logits_fake)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._optimizer_g.step()
        return loss.item()

    def _seen(self, pictures: Tensor) -> Tensor:
        strength = self._settings.augment
        return augment(pictures, strength) if strength else pictures
