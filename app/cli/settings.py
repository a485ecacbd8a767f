"""Reading the settings: misspelled names are refused, and values that this machine lacks."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from models.errors import CatteryError, InvalidValue

if TYPE_CHECKING:
    from worker.protocol import SharedSettings

# Read by Compose or benchmarks, which may share an environment with us.
OTHERS = ("CATTERY_PUBLISH", "CATTERY_BENCHMARK_SERVER")

LISTED = "docs/settings.md lists all settings."

Settings = TypeVar("Settings", bound="SharedSettings")


class UnknownSetting(CatteryError):
    """An environment variable looks like a setting of ours and is none."""


class UnusableSetting(CatteryError):
    """A setting asks for what this machine does not have."""


def read_settings(kind: type[Settings], **given: Any) -> Settings:
    """Return the settings of a process from its environment.

    Args:
        kind: Class of the settings.
        given: Values that the command line has; None for those that it has not.

    Raises:
        UnknownSetting: A variable begins like a setting and is none.
        ValidationError: A value is invalid; `app.cli.root` prints a line for it.
    """
    check_names(os.environ)  # noqa: TID251 - names only
    return kind(**{name: value for name, value in given.items() if value is not None})


def check_names(environment: Mapping[str, str]) -> None:
    """Refuse variables that begin like settings and are none.

    Raises:
        UnknownSetting: There is one; the message has the most similar setting.
    """
    from app.settings import AppSettings
    from worker.protocol import PREFIX
    from worker.settings import WorkerSettings

    # Of both processes: they may share one environment file.
    fields = {*AppSettings.model_fields, *WorkerSettings.model_fields}
    known = {f"{PREFIX}{field.upper()}" for field in fields}
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known.union(OTHERS):
            field = name.removeprefix(PREFIX).lower()  # the common prefix makes all alike
            similar = get_close_matches(field, sorted(fields), n=1)
            meant = f"Did you mean {PREFIX}{similar[0].upper()}?" if similar else LISTED
            raise UnknownSetting(f"There is no setting {name}.", meant)


def check_device(device: str) -> None:
    """Refuse a CATTERY_DEVICE that this machine does not have.

    Raises:
        UnusableSetting: It does not.
    """
    from models.devices import pick_device

    try:
        pick_device(device)
    except InvalidValue as err:
        raise UnusableSetting(f"CATTERY_DEVICE is {device!r}. {err.detail}", err.remedy) from err
