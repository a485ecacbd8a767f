"""Convolutions with weights in oneDNN's memory layout, for rendering on a CPU.

Torch reorders its weights for oneDNN at every call, which for one image takes as long as the
convolution itself. Here it is done once, and the activation that follows is fused. The operators
are those that torch's own compiler emits.
"""

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from models.inference.folding import Opening, layer_of

OPERATORS = (
    "_reorder_convolution_weight",
    "_reorder_convolution_transpose_weight",
    "_convolution_pointwise",
    "_convolution_transpose_pointwise",
)

Activation = tuple[str, list[Any]]  # oneDNN's name and parameters

NO_ACTIVATION: Activation = ("none", [])


def can_pack() -> bool:
    """Return whether this torch has oneDNN and the operators, as builds for x86 do."""
    mkldnn = torch.ops.mkldnn
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_onednn and all(hasattr(mkldnn, n) for n in OPERATORS)


@torch.no_grad()
def pack(made: fx.GraphModule, dtype: torch.dtype = torch.float32) -> fx.GraphModule:
    """Pack the convolutions of a folded generator, in place.

    Args:
        made: From `models.inference.folding.folded`, its nodes with their shapes.
        dtype: Number format of all convolutions but the last, which decides gray levels.
    """
    convolutions = [n for n in made.graph.nodes if _convolution(layer_of(made, n)) is not None]
    for node in convolutions:
        kind = torch.float32 if node is convolutions[-1] else dtype
        layer = made.get_submodule(str(node.target))
        shape = node.all_input_nodes[0].meta["tensor_meta"].shape
        activation = _take_activation(made, node)
        if isinstance(layer, Opening):
            layer.product = _Packed(layer.product, (shape[1], 1, 1), activation, kind)
        else:
            made.set_submodule(str(node.target), _Packed(layer, shape[1:], activation, kind))
    made.recompile()
    return made


def held_bytes(network: nn.Module) -> int:
    """Return the bytes of a network's weights, packed ones with their padding included."""
    plain = sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))
    packed = (layer for layer in network.modules() if isinstance(layer, _Packed))
    return plain + sum(layer.packed_bytes for layer in packed)


def _convolution(layer: nn.Module | None) -> nn.Module | None:
    return layer if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | Opening) else None


class _Packed(nn.Module):
    """A convolution fused with its activation."""

    def __init__(
        self, layer: Any, shape: tuple[int, ...], activation: Activation, dtype: torch.dtype
    ) -> None:
        super().__init__()
        ops, sizes = torch.ops.mkldnn, ["padding", "stride", "dilation"]
        if isinstance(layer, nn.ConvTranspose2d):
            sizes.insert(1, "output_padding")
            reorder = ops._reorder_convolution_transpose_weight
            self.run = ops._convolution_transpose_pointwise
        else:
            reorder, self.run = ops._reorder_convolution_weight, ops._convolution_pointwise
        self.geometry: list[Any] = [*([*getattr(layer, size)] for size in sizes), layer.groups]
        # No buffer: a packed tensor can be neither copied nor saved.
        self.weight = reorder(layer.weight.to(dtype), *self.geometry, [1, *shape])
        self.bias = None if layer.bias is None else layer.bias.to(dtype)
        self.activation, self.dtype = activation, dtype

    @property
    def packed_bytes(self) -> int:
        """Bytes of what is not a parameter."""
        bias = 0 if self.bias is None or isinstance(self.bias, nn.Parameter) else self.bias.nbytes
        return int(torch.ops.mkldnn._nbytes(self.weight)) + bias

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, D, S, S) for (N, C, H, W)."""
        return self.run(
            x.to(self.dtype), self.weight, self.bias, *self.geometry, *self.activation, ""
        )


def _take_activation(made: fx.GraphModule, node: fx.Node) -> Activation:
    """Remove the activation after a convolution from the graph, if nothing else reads its input."""
    if len(node.users) != 1:
        return NO_ACTIVATION
    (after,) = node.users
    found = _activation(made, after)
    if found != NO_ACTIVATION:
        after.replace_all_uses_with(node)
        made.graph.erase_node(after)
    return found


def _activation(made: fx.GraphModule, node: fx.Node) -> Activation:
    layer = layer_of(made, node)
    if isinstance(layer, nn.ReLU) or node.target is F.relu:
        return "relu", []
    if isinstance(layer, nn.Tanh) or (node.op, node.target) == ("call_method", "tanh"):
        return "tanh", []
    if node.target is F.leaky_relu:
        return "leaky_relu", [node.kwargs["negative_slope"]]
    return NO_ACTIVATION
