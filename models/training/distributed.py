"""Data-parallel training: several processes, each with its share of every batch.

`torchrun` starts them, one per GPU. All draw the same random numbers and batches, and each
takes its own rows, so that a step equals that of one process with the whole batch. After a
backward pass gradients are averaged in one all-reduce. DistributedDataParallel is not used:
its hooks reject `autograd.grad` with a graph, which gradient penalties need.

Batch statistics (batch norm, relativistic averages) are of one process's share. Random numbers
of augmentation and of a generator's noise are the same in every process.
"""

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from models.errors import InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """The processes that train together, seen from one of them.

    Attributes:
        rank: Which one this is; 0 leads: it saves, measures and decides.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process keeps the job's record."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """Return this process's rows of a batch, (N, ...) to (N / size, ...)."""
        return batch if self.size == 1 else batch.chunk(self.size)[self.rank]

    def check_batch(self, batch: int) -> int:
        """Return a process's share of a batch; InvalidValue if it cannot be split evenly."""
        if batch % self.size:
            # Uneven shares would weigh images differently in the averaged gradients.
            raise InvalidValue("batch", batch, f"a multiple of {self.size}, the processes")
        return batch // self.size

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over all processes, in one exchange."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        # One flat exchange: latency, not bandwidth, dominates hundreds of small tensors.
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def broadcast(self, raw: bytes) -> bytes:
        """Return the leader's bytes in every process; the others' argument is ignored."""
        if self.size == 1:
            return raw
        # The length first: the others must allocate before they can receive.
        length = torch.tensor([len(raw)])
        dist.broadcast(length, src=0)
        if not int(length):
            return b""
        body = torch.zeros(int(length), dtype=torch.uint8)
        if self.leads:
            body = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
        dist.broadcast(body, src=0)
        return body.numpy().tobytes()

    def agree(self, go_on: bool) -> bool:
        """Return the leader's decision in every process."""
        if self.size == 1:
            return go_on
        word = torch.tensor([int(go_on)])
        dist.broadcast(word, src=0)
        return bool(word)


SOLO = Team()


@contextmanager
def team_of_torchrun() -> Iterator[Team]:
    """Join the processes that `torchrun` has started; alone where it has not.

    Yields:
        The team. On a GPU machine each process has the GPU of its local rank.
    """
    if not dist.is_torchelastic_launched():
        yield SOLO
        return
    use_gpu = torch.cuda.is_available()
    if use_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # noqa: TID251 - torchrun's door
    # The leader's decisions go over gloo: NCCL would queue them behind the GPU's work.
    dist.init_process_group("cpu:gloo,cuda:nccl" if use_gpu else "gloo")
    try:
        yield Team(rank=dist.get_rank(), size=dist.get_world_size())
        # Nobody leaves before the leader has published: torchrun kills all when one fails.
        dist.monitored_barrier(timeout=timedelta(hours=1))
    finally:
        gc.collect()  # graphs that hold collectives must be gone, or NCCL waits for them
        dist.destroy_process_group()
