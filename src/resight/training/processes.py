"""Training on several processes, which torchrun starts: each runs the network on its share of every batch.

The result is that of one process, apart from rounding. The normalisations exchange their statistics, the losses see the
outputs for the whole batch, and the gradients are averaged. Everything is exchanged by sums, because every backend has these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from resight.errors import CheckpointError, ConfigurationError, ResightError
from resight.networks.batches import View
from resight.networks.network import Outputs

__all__ = ["average_gradients", "begin_together", "first_alone", "gathered", "joined", "share"]


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes of a torchrun for the work in the block, and wait for them at its end; alone, do nothing.

    Each process of a machine uses a GPU of its own. One that ends early ends the others, with a `ResightError`.
    """
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    # An optimiser imports it. After the group was made, it would keep the group, whose threads may abort the process as it ends.
    import_module("torch.distributed.nn")
    dist.init_process_group(timeout=timedelta(days=1))  # a process may wait while another asks a teacher
    try:
        yield
        _sum(torch.zeros(1))
    finally:
        dist.destroy_process_group()


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process of each machine do a block before the others, with all their threads: they find what it cached."""
    if _size() == 1:
        yield
        return
    first = os.environ["LOCAL_RANK"] == "0"
    if not first:
        _sum(torch.zeros(1))
    threads = torch.get_num_threads()
    torch.set_num_threads(threads * int(os.environ["LOCAL_WORLD_SIZE"]) if first else threads)
    yield
    torch.set_num_threads(threads)
    if first:
        _sum(torch.zeros(1))


def begin_together(trained: nn.Module, position: tuple[int, int], batch: int) -> None:
    """Give what is trained the same start in all processes, and let its normalisations see whole batches.

    Parameters
    ----------
    trained : nn.Module
        Changed in place.
    position : tuple of (epoch, step)
        Position that this process begins at.
    batch : int
        Images in a batch.

    Raises
    ------
    CheckpointError
        If the others begin elsewhere.
    ConfigurationError
        If some would have no image.
    """
    if _size() == 1:
        return
    if batch < _size():
        raise ConfigurationError(f"a batch of {batch} images for {_size()} processes; expected at least one image for each")
    if len(torch.unique(_rows_of_all(torch.tensor(position)), dim=0)) > 1:
        raise CheckpointError("not all processes find the same checkpoint; choose an --out that all machines see")
    with torch.no_grad():
        for tensor in (*trained.parameters(), *trained.buffers()):
            tensor.copy_(_sum(tensor.contiguous() if dist.get_rank() == 0 else tensor.new_zeros(tensor.shape)))
    for module in trained.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = _WholeBatchNorm


def share(view: View) -> View:
    """The part of a view for this process; the order of the processes is that of the rows."""
    mine = _mine(len(view.rows))
    return View(*(None if part is None else part[mine] for part in view))  # type: ignore[arg-type]


def gathered(outputs: Outputs, view: View) -> Outputs:
    """Outputs for the whole view, from those for each process's share of it; the gradients go back to where they belong.

    The maps are large: they are only exchanged when they are asked for.
    """
    if _size() == 1:
        return outputs
    features, embedding, logits = (_gather(rows, len(view.rows)) for rows in outputs[1:])
    return _Gathered(outputs.maps, features, embedding, logits)


def average_gradients(trained: nn.Module) -> None:
    """Average all gradients over the processes."""
    if _size() == 1:
        return
    gradients = [parameter.grad for parameter in trained.parameters() if parameter.grad is not None]
    flat = _sum(torch.cat([gradient.flatten() for gradient in gradients])).div_(_size())
    for gradient, part in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


class _Gathered(Outputs):
    """Outputs for a whole batch, whose maps are still those of the share."""

    @cached_property
    def maps(self) -> Tensor:
        return _gather(self[0], len(self.logits))


def _gather(rows: Tensor, total: int) -> Tensor:
    return _Gather.apply(rows, total)  # type: ignore[no-untyped-call, no-any-return]


class _Gather(torch.autograd.Function):
    """Rows of all processes, one after the other. All compute the same loss from them, so that no gradient needs an exchange."""

    @staticmethod
    def forward(context: Any, rows: Tensor, total: int) -> Tensor:
        context.mine = _mine(total)
        whole = rows.new_zeros(total, *rows.shape[1:])
        whole[context.mine] = rows
        return _sum(whole)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[context.mine] * _size(), None  # as `average_gradients` divides


class _WholeBatchNorm(_BatchNorm):
    """Batch normalisation over the images of all processes; `nn.SyncBatchNorm` does it on GPUs alone."""

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            return _Normalise.apply(images, self.weight, self.bias, self)  # type: ignore[no-untyped-call, no-any-return]
        return super().forward(images)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take both kinds, of rows and of maps."""


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Tensor, weight: Tensor, bias: Tensor, norm: _BatchNorm) -> Tensor:
        own = *torch.batch_norm_update_stats(images.to(weight.dtype), None, None, 0.0), weight.new_full((1,), images[:, 0].numel())
        means, variances, counts = torch.split(_rows_of_all(torch.cat(own)), [len(weight), len(weight), 1], dim=1)
        count, shares = counts.sum(), counts / counts.sum()
        mean = (shares * means).sum(0)
        variance = (shares * (variances + (means - mean).square())).sum(0)
        assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
        norm.running_mean.lerp_(mean, norm.momentum or 0.0)
        norm.running_var.lerp_(variance * count / (count - 1), norm.momentum or 0.0)
        norm.num_batches_tracked += 1
        context.eps, context.count = norm.eps, count
        context.save_for_backward(images, weight, mean, variance)
        return F.batch_norm(images, mean, variance, weight, bias, eps=norm.eps)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        images, weight, mean, variance = context.saved_tensors
        # As if mean and variance were constants; then what they depend on, which needs the sums over all processes.
        along, *sums = torch.ops.aten.native_batch_norm_backward(
            gradient, images, weight, mean, variance, None, None, False, context.eps, [True, True, True]
        )
        of_weight, of_bias = _sum(torch.stack(sums)) / context.count
        inverse = (variance + context.eps).rsqrt()
        slope = weight * inverse.square() * of_weight
        shape = (1, -1, *(1,) * (images.dim() - 2))
        along.addcmul_(images, slope.to(images.dtype).view(shape), value=-1)
        along.sub_((weight * inverse * of_bias - mean * slope).view(shape))
        return along, *sums, None


def _size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def _mine(total: int) -> slice:
    rank, size = dist.get_rank() if _size() > 1 else 0, _size()
    return slice(total * rank // size, total * (rank + 1) // size)


def _rows_of_all(own: Tensor) -> Tensor:
    """A tensor of each process, one after the other."""
    every = own.new_zeros(_size(), *own.shape)
    every[dist.get_rank()] = own
    return _sum(every)


def _sum(tensor: Tensor) -> Tensor:
    """Sum over the processes, in place."""
    try:
        dist.all_reduce(tensor)
    except RuntimeError as error:
        raise ResightError(
            "another process of this training has ended, see its message; the same command goes on from the last checkpoint"
        ) from error
    return tensor
