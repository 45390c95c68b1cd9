"""The OpenAPI document: examples, and what FastAPI cannot read from the signatures."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from api.http.errors import ProblemDetails
from models import presets
from models.specs import TrainingSpec

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
    """Describe the request body of a route that takes any part of a spec."""
    content = {"application/json": {"schema": {"$ref": REF.format(model="TrainingSpecPart")}, "examples": EXAMPLES}}
    return {"requestBody": {"required": True, "content": content}}


def body_of(model: type[BaseModel], *, example: dict[str, Any]) -> dict[str, Any]:
    """Describe the request body of a route that takes a small object."""
    content = {"application/json": {"schema": model.model_json_schema(), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def form_with_file(options: type[BaseModel]) -> dict[str, Any]:
    """Describe a multipart form with a file, a name and options in JSON."""
    schema = {
        "type": "object",
        "required": ["file", "name"],
        "additionalProperties": False,
        "properties": {
            "file": {"type": "string", "format": "binary"},
            "name": {"type": "string", "minLength": 1, "maxLength": 100},
            "options": options.model_json_schema(),
        },
    }
    content = {"multipart/form-data": {"schema": schema, "encoding": {"options": {"contentType": "application/json"}}}}
    return {"requestBody": {"required": True, "content": content}}


def install(app: FastAPI) -> None:
    """Make the application serve this document."""

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
    """Return the schema for a part of an object: no field is required.

    A part may lack its `kind` and then fit several members of a union, so `oneOf` becomes `anyOf`.
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
