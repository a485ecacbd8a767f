"""The front end's settings: one class, read once in `main`, handed down.

Every field is an environment variable `CATTERY_<FIELD>`; nobody else reads the
environment.
"""

from ipaddress import IPv6Address, ip_address
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

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
    default_model: str = Field(
        default="dcgan", description="Model of a request that names none, as name or name@version."
    )
    max_batch: int = Field(
        default=64,
        ge=1,
        le=64,  # up to this size a CPU's floats are the same at every batch size, as tested
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
    deadline_s: float = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest a request may wait for its pictures before 504, seconds.",
    )
    keep_versions: int = Field(
        default=4,
        ge=1,
        description="Versions kept warm beside the serving ones; the previous ones count.",
    )
    watch_s: float = Field(
        default=2.0,
        gt=0,
        allow_inf_nan=False,
        description="How often the store's aliases are looked at, seconds.",
    )
    encode_threads: int = Field(
        default=2, ge=1, le=64, description="Threads that turn pixels into PNG."
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
