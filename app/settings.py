"""The front end's settings: one class, read once in `main`, handed down.

Every field is an environment variable `CATTERY_<FIELD>`; nobody else reads the
environment.
"""

from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from models.inference.registry import AUTO, ENGINES
from worker.protocol import SharedSettings


def is_loopback(host: str) -> bool:
    """Say whether a host name or address reaches this machine only.

    Args:
        host: Name or address without port; IPv6 with or without brackets.
    """
    name = host.strip().removeprefix("[").removesuffix("]").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


class AppSettings(SharedSettings):
    """What the front end needs to know, on top of what it shares with the worker."""

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. Any other than loopback needs CATTERY_API_KEY.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port; 0: any free one.")
    api_key: SecretStr | None = Field(
        default=None,
        description="Key that every call that changes something must carry as a bearer token; "
        "empty: none is needed, and only this machine may call.",
    )
    device: str = Field(
        default="auto", description="Where to render: auto, cpu, cuda, or cuda:N for one GPU."
    )
    engine: str = Field(
        default=AUTO,
        description="What renders: auto, which is the engine that a version's card names on a CPU, "
        "and float16 on a GPU where it is within one gray level; or torch-fp32, torch-bf16, "
        "torch-fp16. Where the one named does not run, torch-fp32 does.",
    )
    render_threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Threads that render and encode cats, a batch each; 0: on a CPU one a core, "
        "less one for all else where there are more than two, on a GPU at most four.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Front ends of `cattery serve` on this machine; from 2 on they are processes "
        "beside an engine host, which renders for all of them.",
    )
    default_model: str = Field(
        default="dcgan", description="Model of a request that names none, as name or name@version."
    )
    max_batch: int = Field(
        default=16,  # more in one are no faster, on a CPU or on a GPU
        ge=1,
        le=64,
        description="Most pictures in one forward pass, images.",
    )
    max_waiting_images: int = Field(
        default=4096, ge=64, description="Pictures that may wait before callers get 503, images."
    )
    max_walk_pixels: int = Field(
        default=8_388_608,  # 128 frames of 256 px: two seconds of encoding
        ge=1,
        description="Most pixels of all frames of a walk together.",
    )
    cache_bytes: int = Field(
        default=64 << 20,
        ge=0,
        description="Most memory for cats that were rendered already, bytes of their files; "
        "0: none is remembered.",
    )
    rendered: Literal["memory", "store"] = Field(
        default="memory",
        description="Where permalinks are kept beside the memory: nowhere (memory), or in the "
        "store, where the first rendering is the answer for ever, across releases and devices.",
    )
    max_renderings: int = Field(
        default=10_000,  # 80 MB of cats of 64 px, 1.3 GB of 256 px
        ge=0,
        description="Most files that the store keeps of one version, with CATTERY_RENDERED=store. "
        "Cats beyond are rendered anew, and their tags name engine and encoder.",
    )
    deadline_s: float = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest a request may wait for its pictures before 504, seconds.",
    )
    max_connections: int = Field(
        default=1000,
        ge=1,
        description="Maximum number of open connections; more are answered with 503. Lower where "
        "the limit of open files (`ulimit -Hn`) requires it.",
    )
    header_timeout_s: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="Timeout for a request's complete headers, from the opening of the "
        "connection or the request's first byte, seconds; then 408.",
    )
    body_timeout_s: float = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="Timeout for the next 32 KiB of a request's body, or its end, seconds; "
        "then 408.",
    )
    send_timeout_s: float = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="Timeout for a client to take the next 32 KiB of a response, or its end, "
        "seconds; then the connection is closed.",
    )
    keep_versions: int = Field(
        default=4,
        ge=1,
        description="Versions kept warm beside the serving ones; the previous ones count.",
    )
    load: Literal["eager", "lazy"] = Field(
        default="eager",
        description="When a model is loaded: at start or when it comes up, as long as there is "
        "room (eager), or at its first request (lazy). The default model is loaded at start.",
    )
    max_device_bytes: int = Field(
        default=0,
        ge=0,
        description="Most that the weights of all loaded versions may hold on the device, bytes; "
        "0: no limit. The least recently used leave first, those in service last.",
    )
    watch_s: float = Field(
        default=2.0,
        gt=0,
        allow_inf_nan=False,
        description="How often the store's aliases are looked at, seconds.",
    )
    encode_threads: int = Field(
        default=2, ge=1, le=64, description="Threads that encode contact sheets."
    )
    max_body_bytes: int = Field(
        default=1 << 20, ge=1024, description="Largest body of a call that is no upload, bytes."
    )
    max_upload_bytes: int = Field(
        default=8 << 30, ge=1024, description="Largest zip that may be uploaded, bytes."
    )
    retry_after_s: int = Field(
        default=5, ge=1, description="What a 503 answer tells callers to wait, seconds."
    )
    redis_timeout_s: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a call to Redis may take before it counts as away, seconds.",
    )
    events_poll_s: float = Field(
        default=0.5,
        gt=0,
        allow_inf_nan=False,
        description="How often a followed job's history is looked at, seconds.",
    )
    events_keep_alive_s: float = Field(
        default=15.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest silence on an event stream before a comment is sent, seconds.",
    )

    @field_validator("api_key")
    @classmethod
    def _empty_is_none(cls, key: SecretStr | None) -> SecretStr | None:
        """Take an empty or blank key for none: it would let everyone in."""
        return key if key is not None and key.get_secret_value().strip() else None

    @field_validator("engine")
    @classmethod
    def _is_an_engine(cls, engine: str) -> str:
        """Refuse a name that no engine has."""
        if engine not in (AUTO, *ENGINES):
            raise ValueError(f"{engine!r} is none of {', '.join((AUTO, *ENGINES))}")
        return engine

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)

    @property
    def cache(self) -> Path:
        """Folder for local copies of remote files."""
        return self.data / "cache"

    @property
    def uploads(self) -> Path:
        """Folder that uploads are streamed to."""
        return self.data.resolve() / "uploads"
