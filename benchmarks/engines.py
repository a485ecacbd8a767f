"""Engines side by side on a CPU, in turns, with the same generator: cats a second, and how near.

All make uint8 pixels of latents. ONNX Runtime and OpenVINO take part where `onnx` and they
can be imported; they get the folded generator, as ours does. What is timed is the process's
CPU time with one thread, so that a machine which does other things too gives figures that
can be compared; with more threads it is the clock's, and the machine must be idle.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import models.zoo
from models.devices import fastest_precision
from models.inference.backend import gray_levels, make_backend
from models.inference.checkpoints import Generator, load_generator
from models.inference.folding import folded
from models.inference.latents import latents

Render = Callable[[Tensor], Tensor]

CPU = torch.device("cpu")
PLAIN = "network as trained"


def main() -> None:
    """Print a table for each generator."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    kind = "CPU seconds" if arguments.threads == 1 else "seconds by the clock"
    print(f"{arguments.threads} threads, {kind}, the best of {arguments.rounds}")
    for path in arguments.weights or _zoo():
        generator = load_generator(path)
        print(f"\n{path.parent.name}: {generator.meta['network']}, {generator.meta['config']}\n")
        with torch.inference_mode():
            _compare(generator, arguments.batches, arguments.rounds, clock)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="*", type=Path, help="weights files; none: the zoo's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def _zoo() -> list[Path]:
    return sorted(Path(models.zoo.__file__).parent.glob("*/generator.safetensors"))


def _compare(
    generator: Generator, batches: Sequence[int], rounds: int, clock: Callable[[], float]
) -> None:
    contenders = _contenders(generator)
    z = torch.from_numpy(latents(range(max(batches)), generator.z_dim))
    best = {(name, size): float("inf") for name in contenders for size in batches}
    for _ in range(rounds):  # in turns, so that what the machine does otherwise meets all
        for size in batches:
            for name, render in contenders.items():
                seconds = _timed(render, z[:size], clock)
                best[name, size] = min(best[name, size], seconds)
    exact = contenders[PLAIN](z).numpy()
    print(
        "| engine |", *(f"{size} at once |" for size in batches), "most levels off | pixels off |"
    )
    print("| --- |", *("--- |" for _ in batches), "--- | --- |")
    for name, render in contenders.items():
        speeds = [size / best[name, size] for size in batches]
        ratios = [best[PLAIN, size] / best[name, size] for size in batches]
        cells = [f"{speed:.0f} ({r:.2f}) |" for speed, r in zip(speeds, ratios, strict=True)]
        print(f"| {name} |", *cells, _distance(render(z).numpy(), exact))


def _timed(render: Render, z: Tensor, clock: Callable[[], float]) -> float:
    render(z)
    began = clock()
    render(z)
    return clock() - began


def _distance(made: NDArray[np.uint8], exact: NDArray[np.uint8]) -> str:
    levels = np.abs(made.astype(int) - exact.astype(int))
    return f"{levels.max()} | {1e6 * (levels > 0).mean():.0f} in a million |"


def _contenders(generator: Generator) -> dict[str, Render]:
    """Return all that can run here, ours first."""
    renders: dict[str, Render] = {PLAIN: lambda z: gray_levels(generator(z))}
    renders["torch-fp32"] = make_backend(generator, CPU, "torch-fp32").render
    if fastest_precision(CPU).autocast is not None:
        renders["torch-bf16"] = make_backend(generator, CPU, "torch-bf16").render
    if find_spec("onnx"):
        model = _onnx(generator)
        if find_spec("onnxruntime"):
            renders["onnxruntime-fp32"] = _onnxruntime(model)
        if find_spec("openvino"):
            renders["openvino-fp32"] = _openvino(model, "f32")
            renders["openvino-bf16"] = _openvino(model, "bf16")
    return renders


def _onnx(generator: Generator) -> bytes:
    """Return a folded generator as an ONNX file."""
    file, z = BytesIO(), torch.zeros(2, generator.z_dim)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            folded(generator.network, generator.z_dim),
            (z,),
            file,  # type: ignore[arg-type]  # the exporter without dynamo writes to files, too
            input_names=["z"],
            output_names=["pictures"],
            dynamic_axes={"z": {0: "count"}, "pictures": {0: "count"}},
            dynamo=False,
        )
    return file.getvalue()


def _onnxruntime(model: bytes) -> Render:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda z: gray_levels(torch.from_numpy(session.run(None, {"z": z.numpy()})[0]))


def _openvino(model: bytes, precision: str) -> Render:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    core = openvino.Core()
    compiled: Any = core.compile_model(core.read_model(model, b""), "CPU", settings)
    return lambda z: gray_levels(torch.from_numpy(compiled(z.numpy())[0].copy()))


if __name__ == "__main__":
    main()
