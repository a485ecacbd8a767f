"""How many entries are trained at once, and with how many threads each."""

from tools.zoo.planning import Capacity
from tools.zoo.table import Entry
from tools.zoo.train import capacity_here


def threads(count: int) -> dict[str, str]:
    return {"CATTERY_THREADS": str(count), "OMP_NUM_THREADS": str(count)}


def test_a_cpu_trains_one_entry_per_core_with_one_thread_each(monkeypatch):
    """The setting is ignored, since the number of threads changes the weights."""
    monkeypatch.setenv("CATTERY_DEVICE", "cpu")
    monkeypatch.setenv("CATTERY_THREADS", "8")
    monkeypatch.setattr("tools.zoo.train.usable_cores", lambda: 5)
    entries = [Entry(recipe="dcgan", kimg=1)] * 4
    assert capacity_here(None, entries) == (Capacity(jobs=5), threads(1))
    assert capacity_here(2, entries) == (Capacity(jobs=2), threads(1))


def test_a_gpu_trains_what_its_free_memory_holds(monkeypatch):
    """The cores are divided among those that fit, unless a setting says otherwise."""
    monkeypatch.setenv("CATTERY_DEVICE", "cuda")
    monkeypatch.delenv("CATTERY_THREADS", raising=False)
    monkeypatch.setattr("tools.zoo.train.usable_cores", lambda: 16)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _device: (78 * 10**9, 84 * 10**9))
    entries = [Entry(recipe="dcgan", kimg=1, memory_gb=20)] * 5
    assert capacity_here(None, entries[:2]) == (Capacity(memory_gb=78.0), threads(8))
    assert capacity_here(None, entries) == (Capacity(memory_gb=78.0), threads(5))
    assert capacity_here(1, entries) == (Capacity(jobs=1), threads(16))
    monkeypatch.setenv("CATTERY_THREADS", "2")
    assert capacity_here(3, entries) == (Capacity(jobs=3), threads(2))
