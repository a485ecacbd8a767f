"""A generator rewritten for inference, with fewer and simpler layers.

Once, when a version is loaded: batch norms are folded into the convolution before them, kernels
that are sums of weights are added up, and the layer after the latent becomes a 1x1 convolution.
The images are the same up to float32's rounding.
"""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.networks.resampling import UpsampledConv2d


@torch.no_grad()
def folded(network: nn.Module, z_dim: int) -> fx.GraphModule:
    """Return a folded copy of a generator in eval mode.

    Its layers with weights are `nn.Conv2d`, `nn.ConvTranspose2d`, `Opening`, and batch norms
    that follow no convolution.
    """
    made = fx.GraphModule(network, _Tracer().trace(network)).eval()
    weight = next(network.parameters())
    ShapeProp(made).propagate(weight.new_zeros(1, z_dim))
    # A list, since folding erases nodes while they are iterated.
    for node in list(made.graph.nodes):
        if isinstance(norm := layer_of(made, node), nn.BatchNorm2d):
            _fold(made, node, norm)
    for node in made.graph.nodes:
        if (layer := layer_of(made, node)) is not None:
            made.set_submodule(str(node.target), _plain(layer, node))
    made.recompile()
    return unowned(made)


def unowned(made: fx.GraphModule) -> fx.GraphModule:
    """Break a network's reference cycle, so that its memory is freed with its last user."""
    # The garbage collector breaks it too, but rarely visits objects that have lived for long.
    made.graph.owning_module = None
    return made


def layer_of(made: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """Return the layer that a node of a graph calls, or None if it calls none."""
    return made.get_submodule(str(node.target)) if node.op == "call_module" else None


class Opening(nn.Module):
    """Turns a vector into maps, with a 1x1 convolution to all of their values at once.

    A matrix product would round differently in batches of different size, and a transposed
    convolution is slower.

    Args:
        weight: (P, Z), for P values.
        bias: (P,), or None.
        shape: Of the result for one vector, e.g. (D, S, S).
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, shape: tuple[int, ...]) -> None:
        super().__init__()
        blank = nn.Conv2d(weight.shape[1], len(weight), 1, device="meta")
        self.product: nn.Module = _filled(blank, weight[:, :, None, None], bias)
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, D, S, S) for (N, Z) or (N, Z, 1, 1)."""
        return self.product(x.flatten(1)[:, :, None, None]).view(-1, *self.shape)


class _Tracer(fx.Tracer):
    """Traces its own thread alone.

    Torch patches the call of every module while it traces: a lane that rendered meanwhile
    would become part of the trace, and fail.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Record a call by the tracing thread; pass any other on."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Keep our own convolutions whole, as torch does its layers."""
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def _fold(made: fx.GraphModule, node: fx.Node, norm: nn.BatchNorm2d) -> None:
    """Fold a batch norm into the convolution before it, if nothing else reads its output."""
    (before,) = node.all_input_nodes
    layer = layer_of(made, before)
    if len(before.users) > 1 or not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return
    transpose = isinstance(layer, nn.ConvTranspose2d)
    made.set_submodule(str(before.target), fuse_conv_bn_eval(layer, norm, transpose=transpose))
    node.replace_all_uses_with(before)
    made.graph.erase_node(node)


def _plain(layer: nn.Module, node: fx.Node) -> nn.Module:
    """Return a layer as one of torch's own."""
    if isinstance(layer, nn.Linear):
        return Opening(layer.weight, layer.bias, (layer.out_features,))
    if isinstance(layer, nn.ConvTranspose2d) and _input_shape(node)[2:] == (1, 1):
        return _opening(layer)
    if isinstance(layer, UpsampledConv2d):
        return _merged(layer)
    if isinstance(layer, nn.Conv2d) and type(layer) is not nn.Conv2d:
        return _copied(layer)
    return layer


def _input_shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(node.all_input_nodes[0].meta["tensor_meta"].shape)


def _opening(layer: nn.ConvTranspose2d) -> Opening:
    """Return a transposed convolution of 1x1 maps, where each weight is used once."""
    weight = layer.weight.permute(1, 2, 3, 0).flatten(0, 2)
    each = layer.kernel_size[0] * layer.kernel_size[1]
    bias = None if layer.bias is None else layer.bias.repeat_interleave(each)
    return Opening(weight, bias, (layer.out_channels, *layer.kernel_size))


def _merged(layer: UpsampledConv2d) -> nn.Module:
    """Add up the weights once, not at every call."""
    kernel = layer.weight.transpose(0, 1).reshape(-1, 9) @ layer.spread
    blank = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, 4, 2, 1, device="meta")
    return _filled(blank, kernel.view(blank.weight.shape), layer.bias)


def _copied(layer: nn.Conv2d) -> nn.Module:
    """Return a convolution with a custom gradient as a plain one."""
    names = "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"
    sizes: dict[str, Any] = {name: getattr(layer, name) for name in names}
    blank = nn.Conv2d(**sizes, device="meta")
    return _filled(blank, layer.weight, layer.bias)


def _filled(
    blank: nn.Conv2d | nn.ConvTranspose2d, weight: Tensor, bias: Tensor | None
) -> nn.Module:
    """Give a layer on the meta device its weights."""
    blank.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    blank.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
    return blank.eval()
