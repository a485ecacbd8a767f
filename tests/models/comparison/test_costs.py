import pytest
import torch

from models.comparison.costs import OF_GPU, OF_PROCESS, OF_RUN, Meter

CPU = torch.device("cpu")
BLOCK_BYTES = 256 * 2**20


def _fill() -> None:
    torch.ones(BLOCK_BYTES, dtype=torch.uint8)


def test_the_peak_is_that_of_a_run_and_not_of_the_one_before():
    """What a run needed for a moment is seen, and not seen again in the next one."""
    meter = Meter(CPU)
    meter.start()
    before = meter.read()
    assert before.peak_of == OF_RUN
    meter.start()
    _fill()
    large = meter.read()
    meter.start()
    after = meter.read()
    slack = 32 * 2**20
    assert large.peak_bytes - before.peak_bytes == pytest.approx(BLOCK_BYTES, abs=slack)
    assert large.peak_bytes - after.peak_bytes == pytest.approx(BLOCK_BYTES, abs=slack)


def test_where_the_peak_cannot_be_reset_it_is_the_process_s_and_says_so(tmp_path):
    """Elsewhere than on Linux, or where it is forbidden."""
    meter = Meter(CPU, proc=tmp_path / "none")
    meter.start()
    costs = meter.read()
    assert costs.peak_of == OF_PROCESS
    assert 50e6 < costs.peak_bytes < 50e9


def test_a_kernel_that_tells_no_peak_is_asked_the_other_way(tmp_path):
    (tmp_path / "status").write_text("VmRSS:\t1024 kB\n", encoding="utf-8")
    meter = Meter(CPU, proc=tmp_path)
    meter.start()
    assert (tmp_path / "clear_refs").read_text(encoding="utf-8") == "5"
    assert meter.read().peak_of == OF_PROCESS
    (tmp_path / "status").write_text("VmHWM:\t2048 kB\n", encoding="utf-8")
    costs = meter.read()
    assert (costs.peak_bytes, costs.peak_of) == (2048 * 1024, OF_RUN)


def test_time_runs_from_start_to_read():
    """By the clock that was given; making the meter does not count."""
    seconds = iter([1.0, 10.0, 12.5])
    meter = Meter(CPU, clock=lambda: next(seconds))
    meter.start()
    assert meter.read().wall_s == 2.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_the_peak_is_that_of_tensors():
    """Reset before each run, as on the CPU."""
    meter = Meter(torch.device("cuda"))
    meter.start()
    block = torch.ones(BLOCK_BYTES, dtype=torch.uint8, device="cuda")
    del block
    large = meter.read()
    meter.start()
    assert large.peak_of == OF_GPU
    assert large.peak_bytes - meter.read().peak_bytes == pytest.approx(BLOCK_BYTES, abs=2**20)
