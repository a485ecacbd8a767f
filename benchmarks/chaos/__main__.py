"""Kill and disturb a whole Cattery that trains, at random, and see what it has lost.

A front end, three workers and a Valkey train a queue of short jobs (`dcgan`, width 8, 32 px, on
the photographs of the tests). Job processes, workers, Valkey, the front end and everything at once
are killed, terminated or stopped for a while, in every phase of a job; in between Redis fails in
all ways that its proxy knows, and the disk fills up and empties. A client places orders
throughout. At last all jobs must end by themselves.

A seed determines what is done; when it strikes depends on the machine as well. Three jobs trained
before the first kill are what the loss curves and weights of all others are compared with.

Aims: nothing lost, nothing doubled, no job silent for more than 30 s, equal curves.
"""

import argparse
import os
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks.chaos.fleet import Fleet
from benchmarks.chaos.orders import DATASET, VARIANTS, Client
from benchmarks.chaos.plan import plan
from benchmarks.chaos.striking import Striker
from benchmarks.chaos.verdict import Verdict, verdict
from benchmarks.service import PICTURES, wait_for
from models.jobs.dataset_import import import_dataset
from models.store import Store

START_S = 120.0
END_S = 600.0


def main() -> None:
    """Run it and print what came of it; exit 1 if anything was lost, doubled or different."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, help="replays a run; default: a random one")
    parser.add_argument("--keep", type=Path, help="folder for data and logs; default: temporary")
    told = parser.parse_args()
    seed = int.from_bytes(os.urandom(3)) if told.seed is None else told.seed
    print(f"SEED={seed} KILLS={told.kills}", flush=True)
    with tempfile.TemporaryDirectory(prefix="cattery-chaos-") as temporary:
        folder = told.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = run(folder.resolve(), seed, told.kills)
    print(found.report())
    sys.exit(0 if found.is_good else 1)


def run(folder: Path, seed: int, kills: int) -> Verdict:
    """Run it in a folder; return what came of it."""
    fleet = Fleet(folder)
    store = Store.open(str(fleet.data / "store"))
    import_dataset(store, DATASET, PICTURES, cache=fleet.data / "cache", statistics=False)
    with fleet.running():
        calm = Client(fleet.url, store, "calm")
        for number in range(VARIANTS):
            calm.place(number)
        wait_for(lambda: not calm.open_jobs(), "the jobs before the first kill", START_S)
        client, done = Client(fleet.url, store, "cat"), threading.Event()
        orders = threading.Thread(target=client.keep_busy, args=[done], daemon=True)
        orders.start()
        striker = Striker(fleet, store)
        for number, step in enumerate(plan(seed, kills), start=1):
            striker.do(step)
            if number % 20 == 0:
                print(f"  {number} blows, {len(client.accepted)} jobs", flush=True)
        done.set()
        orders.join(START_S)
        wait_for(lambda: not client.open_jobs(), "all jobs to end", END_S)
    return verdict(store, calm.accepted, client.accepted, striker, fleet)


if __name__ == "__main__":
    main()
