"""The OpenAPI document: what FastAPI cannot see in the signatures, and the examples."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from api.errors import ProblemDetails
from models import presets
from models.specs import TrainingSpec

JOB_ID = "job_01kb1q2w3e4r5t6y7v8b9n0m1k"
REF = "#/components/schemas/{model}"
LOCATION = {"Location": {"description": "Of the new job", "schema": {"type": "string"}}}

EXAMPLES = {
    "default": {"summary": "The default recipe on Fashion-MNIST", "value": {}},
    "short": {
        "summary": "A named run of two minutes",
        "value": {"name": "garments", "budget": {"images": None, "seconds": 120}, "metadata": {"team": "vision"}},
    },
    "article": {
        "summary": "The survey's recipe with another learning rate",
        "value": {"preset": "article", "generator_optimizer": {"lr": 0.0001}, "budget": {"images": 1_000_000}},
    },
    "convolutional": {
        "summary": "A DCGAN on the digits",
        "value": {"dataset": {"name": "digits"}, "architecture": {"kind": "dcgan", "channels": 16}},
    },
}


def spec_body() -> dict[str, Any]:
    """The request body of the routes that take any part of a spec."""
    content = {"application/json": {"schema": {"$ref": REF.format(model="TrainingSpecPart")}, "examples": EXAMPLES}}
    return {"requestBody": {"required": True, "content": content}}


def body_of(model: type[BaseModel], *, example: dict[str, Any]) -> dict[str, Any]:
    """The request body of a route that takes a small object."""
    content = {"application/json": {"schema": model.model_json_schema(), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def install(app: FastAPI) -> None:
    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build(app)
        return app.openapi_schema

    # FastAPI asks for this very assignment (its guide "Extending OpenAPI"); mypy forbids it for any method.
    app.openapi = document  # type: ignore[method-assign]


def _build(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = ProblemDetails.model_json_schema(ref_template=REF)
    schemas |= problem.pop("$defs") | {"ProblemDetails": problem}
    part = _optional(TrainingSpec.model_json_schema(ref_template="#/components/schemas/{model}Part"))
    schemas |= {f"{name}Part": definition for name, definition in part.pop("$defs").items()}
    part["properties"]["preset"] = {"enum": list(presets.REGISTRY), "default": presets.DEFAULT}
    part["description"] = "Any part of a spec; the preset fills in the rest."
    schemas["TrainingSpecPart"] = part
    return document


def _optional(schema: Any) -> Any:
    """The schema of a part of what this schema describes: nothing is required, and without its `kind` an object may be
    a part of several.
    """
    if isinstance(schema, dict):
        return {
            "anyOf" if key == "oneOf" else key: _optional(value)
            for key, value in schema.items()
            if key not in {"required", "discriminator"}
        }
    if isinstance(schema, list):
        return [_optional(item) for item in schema]
    return schema
