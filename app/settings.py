"""The front end's settings: one class, read once in `main` and passed on.

Every field is an environment variable `CATTERY_<FIELD>`; nothing else reads the environment.
"""

import re
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from models.inference.registry import AUTO, ENGINES
from worker.protocol import SharedSettings

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

MAX_KEY_BYTES = 4096  # a line; not what a wrong path would bring, such as a disk image

_ROOT_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address reaches this machine only.

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
    # "::ffff:127.0.0.1" is loopback as well, which Python 3.11 denies.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _key_in(path: Path) -> str:
    """Return the key in a file; ValueError if it cannot be read."""
    try:
        with path.expanduser().open("rb") as file:
            return file.read(MAX_KEY_BYTES).decode().strip()
    except OSError as err:
        raise ValueError(f"it cannot be read: {err.strerror}") from None


class AppSettings(SharedSettings):
    """The front end's settings, in addition to those that it shares with the worker."""

    # Of limits that are not set, where keys are required: elsewhere the client owns the machine.
    DEFAULT_CATS: ClassVar[int] = 6000
    DEFAULT_VOTES: ClassVar[int] = 60
    DEFAULT_JOBS: ClassVar[int] = 20
    DEFAULT_UPLOAD_BYTES: ClassVar[int] = 32 << 30

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. Any but loopback requires a key: CATTERY_API_KEY or "
        "one of `cattery keys add`.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port; 0 chooses a free one.")
    root_path: str = Field(
        default="",
        description="Prefix under which a proxy publishes the service, such as /cattery; links, "
        "redirects and the OpenAPI document have it. The proxy may remove it or pass it on.",
    )
    api_key_file: Path | None = Field(
        default=None, description="File with the key, instead of CATTERY_API_KEY."
    )
    api_key: SecretStr | None = Field(
        default=None,
        validate_default=True,  # it may be in a file
        description="Bearer token with all scopes. Without it and without keys of `cattery keys "
        "add` none is required, and only this machine may call. Weak ones are refused unless "
        "the address is loopback.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, for "
        "limits per address: addresses or networks, separated by commas.",
    )
    device: str = Field(
        default="auto",
        description="Device to render on: auto, cpu, cuda, or cuda:N for one of several GPUs.",
    )
    engine: str = Field(
        default=AUTO,
        description="Inference engine: auto, torch-fp32, torch-bf16 or torch-fp16. With auto, the "
        "engine named by the version's card on a CPU, and float16 on a GPU if its pictures are "
        "within one gray level. torch-fp32 replaces an engine that the device does not support.",
    )
    render_threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Threads that render and encode, one batch each. 0: one per core on a CPU, "
        "less one if there are more than two; at most four on a GPU.",
    )
    default_model: str = Field(
        default="dcgan", description="Model for requests without one: name or name@version."
    )
    max_batch: int = Field(
        default=16,  # larger batches are no faster, on a CPU or on a GPU
        ge=1,
        le=64,
        description="Maximum batch size of a forward pass, images.",
    )
    max_waiting_images: int = Field(
        default=4096,
        ge=64,
        description="Maximum number of images waiting to be rendered; then 503.",
    )
    max_walk_pixels: int = Field(
        default=8_388_608,  # 128 frames of 256 px: two seconds of encoding
        ge=1,
        description="Maximum size of a walk, all frames together, pixels.",
    )
    cache_bytes: int = Field(
        default=64 << 20,
        ge=0,
        description="Maximum memory for rendered files, bytes; 0 disables the cache.",
    )
    rendered: Literal["memory", "store"] = Field(
        default="memory",
        description="Where rendered permalinks are kept: in memory, or also in the store, where "
        "the first rendering stays the response for good, across releases and devices.",
    )
    max_renderings: int = Field(
        default=10_000,  # 80 MB of cats of 64 px, 1.3 GB of 256 px
        ge=0,
        description="Maximum number of rendered files per version with CATTERY_RENDERED=store. "
        "Others are rendered on request, and their ETags name engine and encoder.",
    )
    deadline_s: Seconds = Field(
        default=30.0,
        description="Timeout for rendering a request's pictures, seconds; then 504.",
    )
    max_connections: int = Field(
        default=1000,
        ge=1,
        description="Maximum number of open connections; more are answered with 503. Lower where "
        "the limit of open files (`ulimit -Hn`) requires it.",
    )
    header_timeout_s: Seconds = Field(
        default=10.0,
        description="Timeout for a request's complete headers, from the opening of the "
        "connection or the request's first byte, seconds; then 408.",
    )
    body_timeout_s: Seconds = Field(
        default=30.0,
        description="Timeout for the next 32 KiB of a request's body, or its end, seconds; "
        "then 408.",
    )
    send_timeout_s: Seconds = Field(
        default=30.0,
        description="Timeout for a client to take the next 32 KiB of a response, or its end, "
        "seconds; then the connection is closed.",
    )
    keep_versions: int = Field(
        default=4,
        ge=1,
        description="Versions kept in memory beside those in service, including the previous ones.",
    )
    load: Literal["eager", "lazy"] = Field(
        default="eager",
        description="When to load a model: as soon as it is in service, if it fits (eager), "
        "or at its first request (lazy). The default model is always loaded at start.",
    )
    max_device_bytes: int = Field(
        default=0,
        ge=0,
        description="Maximum device memory for the weights of all loaded versions, bytes; "
        "0: no limit. Eviction is least recently used first, versions in service last.",
    )
    watch_s: Seconds = Field(
        default=2.0,
        description="Interval at which the store is checked for promotions, seconds.",
    )
    encode_threads: int = Field(
        default=2, ge=1, le=64, description="Threads that encode contact sheets."
    )
    max_body_bytes: int = Field(
        default=1 << 20,
        ge=1024,
        description="Maximum size of a request body other than an upload, bytes; then 413.",
    )
    max_upload_bytes: int = Field(
        default=8 << 30, ge=1024, description="Maximum size of an uploaded zip, bytes; then 413."
    )
    cats_per_minute: int | None = Field(
        default=None,
        ge=0,
        description="Cats that one client may request in a minute, frames of walks included; then "
        "429. A client is a key or an address. 0: no limit; empty: 6000 if keys are required.",
    )
    votes_per_minute: int | None = Field(
        default=None,
        ge=0,
        description="Votes that one client may cast in a minute; then 429. 0: no limit; empty: 60 "
        "if keys are required.",
    )
    max_queued_jobs: int | None = Field(
        default=None,
        ge=0,
        description="Jobs of one client that may wait or run at once; then 429. 0: no limit; "
        "empty: 20 if keys are required.",
    )
    upload_bytes_per_day: int | None = Field(
        default=None,
        ge=0,
        description="Bytes of datasets that one client may upload in 24 hours; then 429. 0: no "
        "limit; empty: 32 GiB if keys are required.",
    )
    retry_after_s: int = Field(
        default=5, ge=1, description="`Retry-After` of 503 responses, seconds."
    )
    redis_timeout_s: Seconds = Field(
        default=1.0,
        description="Timeout for a call to Redis, seconds.",
    )
    events_poll_s: Seconds = Field(
        default=0.5,
        description="Interval at which an event stream checks its job for new events, seconds.",
    )
    events_keep_alive_s: Seconds = Field(
        default=15.0,
        description="Maximum silence on an event stream before a comment is sent, seconds.",
    )

    @field_validator("api_key_file")
    @classmethod
    def _holds_a_key(cls, path: Path | None) -> Path | None:
        """Reject a file that cannot be read, or holds no key."""
        if path is not None and not _key_in(path):
            raise ValueError("the file is empty")
        return path

    @field_validator("api_key")
    @classmethod
    def _empty_is_none(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Treat a blank key as none, and read the one in the file."""
        # `CATTERY_API_KEY=` in an environment file means "not set"; as a key it would fit anyone.
        text = key.get_secret_value().strip() if key is not None else ""
        file = info.data.get("api_key_file")
        if file is None:
            return SecretStr(text) if text else None
        if text:
            raise ValueError("there is a CATTERY_API_KEY_FILE as well; set one of them")
        return SecretStr(_key_in(file))

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, text: str) -> str:
        """Reject names, which anybody may claim, and "*", which would believe everybody."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        for part in parts:
            ip_network(part)  # raises ValueError
        return ",".join(parts)

    @field_validator("host")
    @classmethod
    def _without_brackets(cls, host: str) -> str:
        """Return [::1] as ::1, for those who write addresses as in a URL."""
        host = host.strip()
        is_bracketed = host.startswith("[") and host.endswith("]")
        return host[1:-1] if is_bracketed else host

    @field_validator("root_path")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        """Reject what would not be a prefix of a URL's path; a trailing slash is dropped."""
        path = path.rstrip("/")
        if not _ROOT_PATH.fullmatch(path):
            raise ValueError("not a path such as /cattery")
        return path

    @field_validator("engine")
    @classmethod
    def _is_an_engine(cls, engine: str) -> str:
        """Reject an unknown engine."""
        # Not a Literal: the registry is the only list of engines.
        if engine not in (AUTO, *ENGINES):
            raise ValueError(f"{engine!r} is not one of {', '.join((AUTO, *ENGINES))}")
        return engine

    @property
    def key(self) -> str | None:
        """The key of the environment, or None."""
        return None if self.api_key is None else self.api_key.get_secret_value()

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
