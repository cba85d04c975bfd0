"""The behaviours that a space has: files of people in its folder `behaviours`, and what packages bring along.

    SPACE/behaviours/plant.py            every Behaviour in it; files whose names begin with _ are helpers
    entry points `ectype.models`         in a package's pyproject.toml:  tank = "plants.tank:Tank"

Finding them runs that code, so it is done in the estimator's own process and by `ectype behaviour`, never by a server.
What is wrong with one is told in a sentence and does not touch the others.
"""

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TypeGuard, cast, final

from ectype.errors import EctypeError, Invalid
from ectype.estimate.behaviour import Behaviour, Input
from ectype.estimate.models.wind_turbine import WindTurbine
from ectype.model.suggest import suggest
from ectype.units import from_dtdl, unit

FOLDER = "behaviours"
_PREFIX = "ectype_behaviours_"


@final
@dataclass(frozen=True, slots=True)
class Found:
    """A behaviour, and where it came from."""

    where: str
    behaviour: type[Behaviour]


@final
@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that cannot be used, or not wholly: `text` is a sentence that says why and what to do."""

    where: str
    text: str


def find(
    folder: Path, skip: Mapping[str, str] = MappingProxyType({}), running: Callable[[str], None] | None = None
) -> tuple[list[Found], list[Wrong]]:
    """All behaviours of a space, one a model. Runs their code, but not that of `skip`, which says why; tells `running`
    before whose.
    """
    found: dict[str, Found] = {WindTurbine.model: Found("ectype", WindTurbine)}
    wrong: list[Wrong] = []
    for where, load in [*_files(folder), *_packaged()]:
        if where in skip:
            wrong.append(Wrong(where, skip[where]))
            continue
        if running is not None:
            running(where)
        try:
            classes = load()
            if not classes:
                wrong.append(Wrong(where, "it holds no behaviour: write `class Tank(Behaviour, model=…)` in it"))
            for behaviour in classes:
                other = found.setdefault(behaviour.model, Found(where, behaviour))
                if other.behaviour is not behaviour:
                    text = (
                        f"{behaviour.__name__} is of {behaviour.model}, which {other.where} follows; remove one of them"
                    )
                    wrong.append(Wrong(where, text))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  somebody's code may raise anything, SystemExit too
            wrong.append(Wrong(where, sentence(error)))
    return [f for f in found.values() if f.behaviour is not WindTurbine], wrong


def files_begin(folder: Path) -> list[str]:
    """How the names of the files begin that people's code is in. Runs none of it."""
    out = [str(folder / "x")[:-1], str(folder.resolve() / "x")[:-1]]
    for root in {point.module.partition(".")[0] for point in entry_points(group="ectype.models")} - {"ectype"}:
        with contextlib.suppress(ImportError, ValueError):  # it is told when it is loaded
            spec = importlib.util.find_spec(root)
            if spec is not None:
                out += spec.submodule_search_locations or [spec.origin or root]
    return out


def in_file(path: Path) -> list[type[Behaviour]]:
    """The behaviours of one file. Runs it; whatever it raises goes through."""
    name = _PREFIX + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Invalid(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.append(folder)  # for helpers beside it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return _classes(module)


def misfits(behaviour: type[Behaviour], units: Mapping[str, str | None]) -> tuple[list[str], list[str]]:
    """How the behaviour fits a type whose properties have these units: (what keeps it from being followed, what is
    missing but can be done without), a sentence each.
    """
    layout, fatal, lacking = behaviour.layout, list[str](), list[str]()
    name = behaviour.__name__
    for d in (*layout.inputs, *layout.sensors):
        if d.property not in units and not (isinstance(d, Input) and d.along is not None):
            known = list(units)
            lacking.append(
                f"{d.kind} {name}.{d.name} reads '{d.property}', which the type does not declare"
                f"{suggest(d.property, known)}; declare it, or name the right one with property='…'"
            )
    for d in (*layout.inputs, *layout.sensors, *layout.states, *layout.constants, *layout.tracked):
        told = units.get(d.property)
        ours = None if told is None else from_dtdl(told)
        if ours is not None and not _same(ours, d.unit):
            fatal.append(f"{d.kind} {name}.{d.name} is in {d.unit}, and the type tells '{d.property}' in {told}")
    if not any(s.property in units for s in layout.sensors):
        fatal.append(f"none of its sensors is declared by the type: {'; '.join(lacking)}")
        lacking = []
    return fatal, lacking


def sentence(error: BaseException) -> str:
    """What somebody's code raised, and in which line of it."""
    if isinstance(error, EctypeError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).suffix == ".py"]
    place = f"line {lines[-1]}: " if lines else ""
    return f"{place}{type(error).__name__}: {error}"


def _same(a: str, b: str) -> bool:
    """The same scale, and degrees Celsius only as themselves: the unit table knows them as differences."""
    one, other = unit(a), unit(b)
    return (one.scale, one.dimension, a == "degC") == (other.scale, other.dimension, b == "degC")


def _files(folder: Path) -> Iterator[tuple[str, "_Load"]]:
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("_"):
            yield path.name, _Load(path)


def _packaged() -> Iterator[tuple[str, "_Load"]]:
    for point in entry_points(group="ectype.models"):
        yield f"{point.value}", _Load(point)


@final
class _Load:
    """Loads one place when it is called."""

    def __init__(self, what: Path | EntryPoint) -> None:
        self._what = what

    def __call__(self) -> list[type[Behaviour]]:
        if isinstance(self._what, Path):
            return in_file(self._what)
        loaded = cast(object, self._what.load())
        return _classes(loaded) if isinstance(loaded, ModuleType) else [loaded] if _is_behaviour(loaded) else []


def _classes(module: ModuleType) -> list[type[Behaviour]]:
    """Those made in the module; not those it imports from another."""
    own: list[type[Behaviour]] = []
    for value in vars(module).values():
        made = getattr(value, "__module__", "") in (module.__name__, "ectype.estimate.compose")
        if _is_behaviour(value) and made and value not in own:
            own.append(value)
    return own


def _is_behaviour(value: object) -> TypeGuard[type[Behaviour]]:
    return isinstance(value, type) and issubclass(value, Behaviour) and value is not Behaviour
