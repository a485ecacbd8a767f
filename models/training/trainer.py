"""One pair of networks under training: updates of the discriminator and the generator, all state.

The step follows the 2017 script: real and generated images are scored separately (and so are
batch norm's statistics), the discriminator moves first, as often as the recipe says, and the
fakes of its last update also serve the generator's.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from models.cuda_graphs import Replayed
from models.datasets.batches import BatchStream, to_unit_range
from models.devices import Precision, fastest_kernels, swap_random
from models.gan.augment import augment
from models.gan.optimizers import OPTIMIZERS
from models.gan.recipe import Recipe
from models.gan.regularizers import CriticPass
from models.hyperparameters import Settings
from models.networks.dcgan import init_lecun
from models.networks.spectral import folded, normalize
from models.training.critic_schedule import CriticSchedule
from models.training.distributed import SOLO, Team
from models.training.ema import MovingAverage


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLosses:
    """Losses and mean scores of one step; scalars left on the device.

    Attributes:
        discriminator: The discriminator's loss, without its penalty.
        penalty: What its regularizer added.
        real: Mean logit of real images.
        fake: Mean logit of generated images, before the generator's update.
    """

    discriminator: Tensor
    penalty: Tensor
    generator: Tensor
    real: Tensor
    fake: Tensor

    def values(self) -> dict[str, float]:
        """Read them back from the device."""
        # Stacked first: each read-back waits for the GPU, so one is cheaper than five.
        names = ("discriminator", "penalty", "generator", "real", "fake")
        stacked = torch.stack([getattr(self, name) for name in names]).tolist()
        return dict(zip(names, stacked, strict=True))


View = list[Tensor]  # what a discriminator scores: a batch of images, or their features


class _TwoStage(Protocol):
    """A discriminator in two halves, the first without trained weights."""

    def features(self, images: Tensor) -> View: ...

    def score(self, features: View) -> Tensor: ...


class Trainer:
    """Networks, optimizers, moving average, random state and position in the data.

    On a GPU the updates are captured into CUDA graphs after a few steps; losses and
    images of a step are then overwritten by the next one.

    Args:
        recipe: What to train.
        settings: Its hyperparameters, overrides applied.
        size_px: Image resolution.
        stream: Real images, in batches for the whole team; the trainer advances it.
        seed: Seeds weights, latents and all other random numbers.
        device: Where to compute.
        precision: Number format of the forward passes.
        team: The processes that train together.
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
        team: Team = SOLO,
    ) -> None:
        self.recipe, self.settings, self.stream = recipe, settings, stream
        self.device, self.precision, self.team = device, precision, team
        team.check_batch(settings.batch)
        self.config = recipe.network_config(size_px, settings)
        # Built on the CPU, so that a seed means the same initial weights on every device.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # initializers draw from the default generator
            generator = self._initialized(recipe.networks.generator)
            if recipe.networks.normalize_generator:
                generator = normalize(generator)
            self.generator = self._place(generator)
            self.discriminator = self._place(self._initialized(recipe.networks.discriminator))
        self.random_state = torch.Generator(device).manual_seed(seed).get_state()
        self.average = MovingAverage(self.generator, settings.ema)
        self.optimizers = {
            "generator": self._optimizer(self.generator, settings.lr_generator),
            "discriminator": self._optimizer(self.discriminator, settings.lr_discriminator),
        }
        self.slowed: tuple[frozenset[str], float] = (frozenset(), 1.0)
        self.critic_schedule = CriticSchedule(settings)
        self.step_count = 0
        self.real = self.fake = torch.empty(0)
        self._iteration = Replayed(self._iterate, device)
        self._extra = Replayed(self._update_critic_alone, device)

    def snapshot(self) -> nn.Module:
        """Return the averaged generator as it is served: spectral norms folded in."""
        network = self.average.module
        return folded(network) if self.recipe.networks.normalize_generator else network

    def step(self) -> StepLosses:
        """Update the discriminator as often as scheduled, then generator and average once."""
        with self._own_random(), fastest_kernels(self.device):
            # The last critic update is part of the iteration, which shares its images with it.
            for _ in range(self.critic_schedule.critic_steps(self.step_count) - 1):
                self._extra(self.stream.next())
            self.average.aim(self.step_count)
            losses, self.real, self.fake = self._iteration(self.stream.next())
        self.step_count += 1
        return losses

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the tensors of both networks and of the average, by name."""
        parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average.module,
        }
        for part, module in parts.items():
            for name, tensor in module.state_dict().items():
                yield f"{part}.{name}", tensor

    def slow_down(self, names: frozenset[str], factor: float) -> None:
        """Train some parameters at a lower learning rate, as a group of their own.

        Args:
            names: Of parameters, as in `tensors`; other names are ignored.
            factor: Of the learning rate, more than 0.
        """
        self.slowed = names, factor  # saved with the state, whose optimizers have these groups
        for part, module in (("generator", self.generator), ("discriminator", self.discriminator)):
            optimizer = self.optimizers[part]
            slow = [p for n, p in module.named_parameters() if f"{part}.{n}" in names]
            if not slow:
                continue
            [group] = optimizer.param_groups
            known = {id(parameter) for parameter in slow}
            group["params"] = [p for p in group["params"] if id(p) not in known]
            optimizer.add_param_group({"params": slow, "lr": group["lr"] * factor})

    def _initialized(self, build: Callable[[Any], nn.Module]) -> nn.Module:
        module = build(self.config)
        return module.apply(init_lecun) if self.settings.lecun else module

    def _place(self, module: nn.Module) -> nn.Module:
        # channels_last: the layout in which convolution kernels are fastest (benchmarks/).
        return module.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _optimizer(self, module: nn.Module, lr: float) -> torch.optim.Optimizer:
        build = OPTIMIZERS[self.recipe.optimizer].build
        return build(module, lr, self.settings, self.device.type == "cuda")

    @contextmanager
    def _own_random(self) -> Iterator[None]:
        """Give the device's default generator, which layers and CUDA graphs use, this state."""
        outer = swap_random(self.device, self.random_state)
        try:
            yield
        finally:
            self.random_state = swap_random(self.device, outer)

    # --- what CUDA graphs capture: no reading back, no branch on a tensor

    def _iterate(self, images: Tensor) -> tuple[StepLosses, Tensor, Tensor]:
        real = self._real(images)
        with self._precision():
            fake = self.generator(self._latents(len(images)))
        # One view of each for both updates: augmentation and frozen features cost as much as a
        # small network, and the fakes' keeps its graph to the generator.
        views = self._view(real), self._view(fake)
        loss_d, penalty, mean_real, mean_fake = self._update_critic(*views)
        loss_g = self._update_generator(*views)
        self.average.update()
        losses = StepLosses(
            discriminator=loss_d, penalty=penalty, generator=loss_g, real=mean_real, fake=mean_fake
        )
        return losses, real, fake.detach()

    def _update_critic_alone(self, images: Tensor) -> None:
        # no_grad, not eval mode: batch norm must normalize by the batch, as in the last update.
        with torch.no_grad(), self._precision():
            fake = self.generator(self._latents(len(images)))
        self._update_critic(self._view(self._real(images)), self._view(fake))

    def _real(self, images: Tensor) -> Tensor:
        """Return this process's images, (N, 3, H, W) float32 in [-1, 1], half of them mirrored."""
        scaled = to_unit_range(self.team.share(images))
        if not self.settings.mirror:
            return scaled
        # Drawn for the whole batch, then shared: every process's random stream stays the same.
        coins = self.team.share(torch.rand(len(images), 1, 1, 1, device=self.device))
        return torch.where(coins < 0.5, scaled, scaled.flip(3))

    def _latents(self, count: int) -> Tensor:
        return self.team.share(torch.randn(count, self.settings.z_dim, device=self.device))

    def _precision(self) -> AbstractContextManager[object]:
        return self.precision.context(self.device)

    def _view(self, images: Tensor) -> View:
        """Return images as the discriminator sees them: augmented, maybe as features."""
        strength = self.settings.augment
        seen = augment(images, strength) if strength else images
        if not self.recipe.networks.has_frozen_features:
            return [seen]
        with self._precision():
            return cast("_TwoStage", self.discriminator).features(seen)

    def _score(self, view: View) -> Tensor:
        with self._precision():
            if self.recipe.networks.has_frozen_features:
                return cast("_TwoStage", self.discriminator).score(view).float()
            return self.discriminator(*view).float()

    def _update_critic(self, real: View, fake: View) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Update the discriminator; return loss, penalty and mean scores."""
        regularizer = self.recipe.regularizer
        real, fake = ([x.detach() for x in view] for view in (real, fake))
        if regularizer.needs_input_grad:
            real, fake = ([x.float().requires_grad_() for x in view] for view in (real, fake))
        # Two passes, not one of both: batch norm's statistics of real and fake must not mix.
        logits_real, logits_fake = self._score(real), self._score(fake)
        loss = self.recipe.objective.discriminator(logits_real, logits_fake)
        penalty = torch.zeros_like(loss)  # apart from the loss, which collapse rules compare
        if regularizer.penalty:
            critic = CriticPass(
                real=real[0],
                fake=fake[0].float(),
                logits_real=logits_real,
                logits_fake=logits_fake,
                score=lambda images: self._score([images]),
            )
            penalty = regularizer.penalty(critic, self.settings)
        self._update("discriminator", self.discriminator, loss + penalty)
        if regularizer.constrain:
            regularizer.constrain(self.discriminator, self.settings)
        means = logits_real.detach().mean(), logits_fake.detach().mean()
        return loss.detach(), penalty.detach(), *means

    def _update_generator(self, real: View, fake: View) -> Tensor:
        """Update the generator through the frozen discriminator; return the loss."""
        # Frozen, the discriminator passes gradients on but computes none for its own weights.
        self.discriminator.requires_grad_(requires_grad=False)
        logits_fake = self._score(fake)
        # Other losses ignore real logits, which saves them a forward pass.
        is_relativistic = self.recipe.objective.is_relativistic
        logits_real = self._score(real) if is_relativistic else logits_fake
        loss = self.recipe.objective.generator(logits_real, logits_fake)
        self._update("generator", self.generator, loss)
        self.discriminator.requires_grad_(requires_grad=True)
        return loss.detach()

    def _update(self, name: str, module: nn.Module, loss: Tensor) -> None:
        # To None, not zero: saves a kernel per tensor, and unused weights keep no gradient.
        module.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.team.average_gradients(module.parameters())
        self.optimizers[name].step()
