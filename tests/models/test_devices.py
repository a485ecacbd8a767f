import pytest
import torch

from models.devices import pick_device
from models.errors import InvalidValue


@pytest.mark.parametrize(
    ("name", "gpus", "message"),
    [
        ("cuda", 0, "No CUDA GPU found. Use auto or cpu."),
        ("cuda:2", 2, "No such CUDA GPU: cuda:2. Use cuda:0 to cuda:1."),
        ("tpu", 0, "device is 'tpu'. Allowed: auto, cpu, cuda or cuda:N."),
        ("meta", 0, "device is 'meta'. Allowed: auto, cpu, cuda or cuda:N."),
    ],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch, name, gpus, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(InvalidValue) as caught:
        pick_device(name)
    assert str(caught.value) == message


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (1, "cuda")])
def test_auto_prefers_a_gpu(monkeypatch, gpus, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    assert pick_device("auto") == torch.device(device)
