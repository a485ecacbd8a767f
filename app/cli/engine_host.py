"""`cattery engine-host`: what renders beside several front ends. Hidden: `serve` starts it."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.settings import AppSettings


def engine_host(
    sockets: Annotated[Path, typer.Option(help="Folder of the service's sockets.")],
    parent: Annotated[int, typer.Option(help="End with the process of this id.")],
) -> None:
    """Render for the front ends of this machine."""
    import uvloop

    from app.cli.gc_tuning import share_often
    from app.settings import AppSettings
    from worker.parent_watch import signal_on_parents_death, watch_parent

    # SIGKILL: nothing is lost with it, and the next start sweeps the sockets.
    signal_on_parents_death(parent, signal.SIGKILL)
    watch_parent(parent)
    share_often()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvloop.run(run_host(AppSettings(), sockets))


async def run_host(settings: "AppSettings", sockets: Path) -> None:
    """Serve until SIGTERM.

    Args:
        settings: The front ends'.
        sockets: Folder of the service's sockets.
    """
    from app.hosting.figures import telling, told_by_host
    from app.hosting.host import host_for
    from app.hosting.sockets import ENGINES, HOSTS_FIGURES
    from app.observability.metrics import Telemetry

    stopping, telemetry = asyncio.Event(), Telemetry()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    host = host_for(settings, telemetry)
    async with host.listening(sockets / ENGINES):
        figures = await telling(sockets / HOSTS_FIGURES, lambda: told_by_host(telemetry.registry))
        sparing = asyncio.create_task(_spare_after(host.engines.have_begun))
        await stopping.wait()
        sparing.cancel()
        figures.close()


async def _spare_after(first_load: asyncio.Event) -> None:
    """Spare what stays once it is there: a first load imports a fifth of all there will be."""
    from app.cli.gc_tuning import spare_what_stays

    await first_load.wait()
    spare_what_stays()
