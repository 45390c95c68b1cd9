"""/v1/figures: what the numbers of a run are called, mean, and which direction is better."""

from typing import Literal

from fastapi import APIRouter

from api.http import pages
from api.http.access import Reader
from api.http.answers import Answer
from api.http.errors import documented
from api.http.pages import Page
from models.specs import figures

router = APIRouter(prefix="/v1/figures", tags=["figures"])


class FigureOut(Answer):
    name: str
    """The key in events, series and checkpoints."""
    title: str
    unit: str
    """Empty for a number without a unit."""
    better: Literal["lower", "higher"] | None
    about: str
    metric: figures.Metric | None
    """The metric of an evaluation that gives it; null for the series of training."""


@router.get("", response_model=Page[FigureOut], responses=documented())
def index(who: Reader) -> Page[FigureOut]:
    """List the figures of training, then those of evaluations. A penalty's series has the name of its kind."""
    given: list[tuple[figures.Figure, figures.Metric | None]] = [(figure, None) for figure in figures.TRAINING]
    given += [(figure, metric) for metric, facts in figures.REGISTRY.items() for figure in facts.figures]
    return pages.whole([FigureOut(**vars(figure), metric=metric) for figure, metric in given])
