"""Exponential moving average of a generator, batch norm statistics included."""

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """Keeps a smoothed copy of a module.

    The decay ramps up as `min(decay, (1 + step) / (10 + step))`, so that the average of a short
    run is not dominated by its initial weights. Batch norm's running statistics are averaged
    like weights: an averaged generator needs statistics that fit it.

    Args:
        module: The module being trained.
        decay: Weight of the past per update, from 0 (a plain copy) to below 1.

    Source: Yazici et al. 2019, arXiv:1806.04498.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
        self.decay = decay
        self._pairs = _float_pairs(self.module, module)
        # A tensor, not a float: a captured graph would repeat a float's first value forever.
        self._share = torch.zeros((), device=self._pairs[0][0].device)

    def aim(self, step: int) -> None:
        """Set how far the next `update` goes, after step `step`, from 0; outside the CUDA graph."""
        self._share.fill_(1.0 - min(self.decay, (1 + step) / (10 + step)))

    @torch.no_grad()
    def update(self) -> None:
        """Move the average toward the module by the share last set."""
        averages, values = self._pairs
        # foreach: a few kernels for all tensors, where a loop would launch three for each.
        steps = torch._foreach_sub(values, averages)
        torch._foreach_mul_(steps, self._share)
        torch._foreach_add_(averages, steps)


def _float_pairs(average: nn.Module, module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Return matching tensors, without integer counters (batch norm's step count)."""
    both = zip(average.state_dict().values(), module.state_dict().values(), strict=True)
    pairs = [(a, m) for a, m in both if a.is_floating_point()]
    return [a for a, _ in pairs], [m for _, m in pairs]
