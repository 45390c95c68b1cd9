"""/v1/presets: the named recipes, resolved for a dataset."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.http import pages
from api.http.access import Reader, Using
from api.http.answers import Answer
from api.http.errors import documented, not_found
from api.http.pages import Page
from api.serving.machines import hardware
from models import presets
from models.specs import BuiltinName, TrainingSpec

router = APIRouter(prefix="/v1/presets", tags=["presets"])
Dataset = Annotated[BuiltinName, Query(description="The dataset to resolve the recipe for")]
DEFAULT: BuiltinName = "fashion-mnist"


class PresetOut(Answer):
    name: str
    purpose: str
    dataset: str
    spec: TrainingSpec


@router.get("", response_model=Page[PresetOut], responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY))
def index(services: Using, who: Reader, dataset: Dataset = DEFAULT) -> Page[PresetOut]:
    machines = hardware(services)
    return pages.whole([_resolved(preset, dataset, machines) for preset in presets.REGISTRY.values()])


@router.get(
    "/{name}", response_model=PresetOut, responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
)
def show(
    services: Using, who: Reader, name: Annotated[str, Path(examples=[presets.DEFAULT])], dataset: Dataset = DEFAULT
) -> PresetOut:
    if name not in presets.REGISTRY:
        raise not_found(f"no preset {name!r}: there are {', '.join(presets.REGISTRY)}")
    return _resolved(presets.REGISTRY[name], dataset, hardware(services))


def _resolved(preset: presets.Preset, dataset: str, machines: presets.Hardware) -> PresetOut:
    spec = presets.resolve({"preset": preset.name, "dataset": {"name": dataset}}, hardware=machines)
    return PresetOut(name=preset.name, purpose=preset.purpose, dataset=dataset, spec=spec)
