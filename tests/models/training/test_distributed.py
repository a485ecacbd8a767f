"""Two real processes, each with half of a batch, beside one with the whole of it."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from models.errors import InvalidValue
from models.jobs.dataset_import import import_dataset
from models.store import Store
from models.store.records import JobStatus
from models.training.distributed import SOLO, Team, team_of_torchrun
from tests.models.training.distributed_child import SETTINGS, build, trained, weights
from tests.models.training.torchrun import run_two


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """The folder in which two processes have left their words and weights."""
    folder = tmp_path_factory.mktemp("team")
    done = run_two("-m", "tests.models.training.distributed_child", str(folder), "cpu", *SETTINGS)
    assert done.returncode == 0, done.stdout
    return folder


def _largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max((one[name] - other[name]).abs().max().item() for name in one)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tolerance"),
    # Adam without momentum takes whole steps where a gradient is all rounding.
    [("dcgan-selu", 1e-5), ("r3gan", 5e-5)],
)
def test_two_processes_train_as_one_with_the_whole_batch(left, name, tolerance):
    """Generator, discriminator and average agree after twenty steps, penalties included."""
    half = load_file(left / f"{name}-0.safetensors")
    assert _largest_difference(half, trained(name)) <= tolerance
    assert _largest_difference(half, weights(build(name))) > 1e-3, "nothing was trained"


@pytest.mark.slow
def test_batch_norm_sees_a_process_s_own_share_alone(left):
    """The same comparison, of networks with batch norm: they differ, as the docs say."""
    half = load_file(left / "dcgan-0.safetensors")
    assert _largest_difference(half, trained("dcgan")) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_all_processes_end_with_the_same_weights(left, name):
    """Bit for bit, but for what batch norm saw, which stays per process."""
    leader, follower = (load_file(left / f"{name}-{rank}.safetensors") for rank in (0, 1))
    differing = {k for k in leader if not torch.equal(leader[k], follower[k])}
    assert all("running_" in name for name in differing), differing
    assert bool(differing) == (name == "dcgan")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_every_process_hears_the_leader_and_averages_gradients(left, rank):
    """Empty and long words too; each takes its rows, and the mean of all gradients."""
    told = json.loads((left / f"talk-{rank}.json").read_text())
    assert told == {
        "team": [rank, 2, rank == 0],
        "share": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]][rank],
        "heard": True,
        "agreed": [True, False],
        "gradients": [[0.5] * 6, [0.5], None],
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "budget"),
    # A recipe whose critic's pace depends on the budget asks the leader for one more word.
    [("dcgan-selu", ("--kimg", "0.08")), ("wgan", ("--minutes", "0.02"))],
)
def test_torchrun_and_the_command_line_make_one_version(pictures, tmp_path, recipe, budget):
    """Two processes, one job, one record of it, one version: the leader's."""
    few, data = tmp_path / "few", tmp_path / "data"
    few.mkdir()
    for picture in sorted((pictures / "cats").glob("*.jpg"))[:40]:
        shutil.copy(picture, few)
    store = Store.open(str(data / "store"))
    import_dataset(store, "cats", few, cache=data / "cache", statistics=False)
    numbers = ("--size", "32", "--set", "width=4", "--set", "batch=8", "--model", "tiny")
    command = ("-m", "app.cli", "train", recipe, "--dataset", "cats", *budget, *numbers)
    done = run_two(*command, CATTERY_DATA=str(data), CATTERY_FAKES="32", CATTERY_DEVICE="cpu")
    assert done.returncode == 0, done.stdout
    (job,) = store.jobs.list()
    assert job.status is JobStatus.FINISHED, job.reason
    assert [card.version for card in store.versions.list("tiny")] == [job.version]
    assert job.progress.kimg > 0


def test_the_shares_of_all_processes_are_the_batch():
    batch = torch.arange(12).view(6, 2)
    shares = [Team(rank=rank, size=3).share(batch) for rank in range(3)]
    assert [len(share) for share in shares] == [2, 2, 2]
    assert torch.equal(torch.cat(shares), batch)
    assert [Team(size=size).check_batch(of) for size, of in ((1, 7), (2, 16), (3, 15))] == [7, 8, 5]


def test_a_batch_that_cannot_be_shared_out_is_refused_before_training():
    with pytest.raises(InvalidValue, match=r"batch is 16.*multiple of 3") as caught:
        build("dcgan-selu", Team(rank=1, size=3))
    assert caught.value.field == "batch"


def test_a_process_by_itself_exchanges_nothing():
    """Words, decisions and gradients are its own, and no process group is needed."""
    with team_of_torchrun() as team:
        assert team is SOLO
    batch = torch.arange(4)
    assert SOLO.leads
    assert SOLO.share(batch) is batch
    assert SOLO.broadcast(b"word") == b"word"
    assert [SOLO.agree(True), SOLO.agree(False)] == [True, False]
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.ones(1)
    SOLO.average_gradients([parameter])
    assert parameter.grad.tolist() == [1.0]
