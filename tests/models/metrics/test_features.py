import numpy as np
import pytest
import torch

from models.errors import InvalidValue
from models.metrics.blocks import as_rows
from models.metrics.features import FEATURES, Features
from models.metrics.frechet import frechet_distance, gaussian_of

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "count"), [("efficientnet-lite0", 64), ("efficientnet-lite2", 32)]
)
def test_features_tell_cats_from_noise(small_pictures, name, count):
    """Two halves of real cats are nearer to each other than to noise, more than twice."""
    features, half = Features(CPU, name), count // 2
    cats = features(small_pictures[:count])
    assert (features.key, cats.shape) == (f"{name}-fp32", (count, 1280))
    assert cats.dtype == np.float32
    noise = np.random.default_rng(0).integers(0, 256, (half, 32, 32, 3)).astype(np.uint8)
    rows = (cats[:half], cats[half:], features(noise))
    real, more, other = (as_rows(torch.from_numpy(part), CPU) for part in rows)
    gaussian = gaussian_of(real)
    assert frechet_distance(gaussian, other) > 2 * frechet_distance(gaussian, more)


def test_features_do_not_depend_on_the_batch(features, small_pictures):
    """The progress callback hears of every batch; rows are the same alone, to float32."""
    heard: list[int] = []
    rows = features(small_pictures[:20], heard.append)
    assert heard == [8, 16, 20]
    assert np.allclose(rows[:1], features(small_pictures[:1]), rtol=1e-4, atol=1e-5)
    assert features(small_pictures[:0]).shape == (0, 1280)


def test_pictures_are_scaled_as_the_network_was_trained(features):
    """A gray of 127 is zero for the default; for the lab's a color of ImageNet's mean is."""
    seen = []

    def look(made, level):
        made._network.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
        made(np.full((1, 8, 8, 3), level, np.uint8))
        return float(seen[-1].abs().max())

    assert look(features, 127) == pytest.approx(0, abs=1e-5)
    assert look(features, 255) == pytest.approx(1, abs=1e-5)
    # 0 is 2.118, 2.036 and 1.804 deviations below ImageNet's means, by channel
    assert look(Features(CPU, "efficientnet-lite0-imagenet"), 0) == pytest.approx(2.118, abs=1e-3)
    assert seen[-1].shape == (1, 3, 224, 224)


def test_what_was_done_is_told(features):
    assert features.protocol == {
        "features": "efficientnet-lite0",
        "resizer": "torch bicubic antialiased to 224",
        "precision": "fp32",
    }
    assert features.key == "efficientnet-lite0-fp32"
    assert FEATURES["efficientnet-lite2"].resizer == "torch bicubic antialiased to 260"
    assert FEATURES["inception-v3"].resizer == "torch bilinear to 299"


def test_an_unknown_network_and_an_unwanted_file_are_refused(tmp_path):
    with pytest.raises(InvalidValue, match="efficientnet-lite0, "):
        Features(CPU, "vgg")
    with pytest.raises(InvalidValue, match="has its own weights"):
        Features(CPU, weights=tmp_path / "any.safetensors")
