"""The description of the API in OpenAPI 3.1, made from the very table that the door dispatches by.

GET /openapi.json gives it.
"""

import re
from collections.abc import Mapping
from typing import Any

from ectype import __version__
from ectype.server.adt.call import Answer, Call

_SUMMARY = re.compile(r"^[^\n]+")
_ERROR = {
    "description": "what went wrong",
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/Error"}},
        "application/problem+json": {"schema": {"type": "object"}},
    },
}
_OPERATION = {
    "type": "object",
    "required": ["op", "path"],
    "properties": {
        "op": {"enum": ["add", "replace", "remove"]},
        "path": {"type": "string", "pattern": "^/"},
        "value": {},
    },
}
_PATCH = {"application/json-patch+json": {"schema": {"type": "array", "items": _OPERATION}}}
_ANY = {"application/json": {"schema": {"type": "object"}}}
_STRING = {"type": "string"}
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/models"): {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
    ("POST", "/query"): {
        "application/json": {
            "schema": {"type": "object", "properties": {"query": _STRING, "continuationToken": _STRING}}
        }
    },
    ("PUT", "/eventroutes/{id}"): {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["endpointName", "filter"],
                "properties": {"endpointName": _STRING, "filter": _STRING},
            }
        }
    },
    ("PUT", "/jobs/imports/{id}"): {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputBlobUri", "outputBlobUri"],
                "properties": {"inputBlobUri": _STRING, "outputBlobUri": _STRING},
            }
        }
    },
}
_BODILESS = {("POST", "/jobs/imports/{id}/cancel"), ("POST", "/jobs/deletions")}
_STATUS = {
    ("POST", "/models"): "201",
    ("PUT", "/eventroutes/{id}"): "204",
    ("PUT", "/jobs/imports/{id}"): "201",
    ("POST", "/jobs/deletions"): "202",
    ("POST", "/query"): "200",
    ("POST", "/jobs/imports/{id}/cancel"): "200",
}
_HEADERS: dict[str, list[str]] = {
    "telemetry": ["Message-Id", "Telemetry-Source-Time"],
    "GET": ["max-items-per-page"],
    "PUT": ["If-None-Match"],
    "PATCH": ["If-Match"],
    "DELETE": ["If-Match"],
}


def describe(operations: Mapping[str, Mapping[str, Any]], versions: tuple[str, ...]) -> dict[str, Any]:
    """The description of these operations: template → method → Operation."""
    paths: dict[str, Any] = {}
    for template, methods in operations.items():
        paths[template] = {method.lower(): _one(template, method, each, versions) for method, each in methods.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ectype: the Azure Digital Twins data plane", "version": __version__},
        "paths": paths,
        "components": {"schemas": {"Error": _error_schema()}},
    }


def _one(template: str, method: str, operation: Any, versions: tuple[str, ...]) -> dict[str, Any]:
    known = [each for each in versions if each >= operation.since]
    version = {"name": "api-version", "in": "query", "required": True, "schema": {"enum": known}}
    names = re.findall(r"\{(\w+)\}", template)
    parameters: list[Any] = [version]
    parameters += [{"name": each, "in": "path", "required": True, "schema": _STRING} for each in names]
    kind = "telemetry" if template.endswith("telemetry") else method
    for header in _HEADERS.get(kind, []):
        required = header == "Message-Id"
        parameters.append({"name": header, "in": "header", "required": required, "schema": _STRING})
    found = _SUMMARY.match(operation.handler.__doc__ or "")
    status = _STATUS.get((method, template)) or ("200" if method in ("GET", "PUT") else "204")
    described: dict[str, Any] = {
        "operationId": f"{method.lower()}{re.sub('[^a-zA-Z]+', '_', template)}".rstrip("_"),
        "summary": found[0] if found else "",
        "parameters": parameters,
        "responses": {status: {"description": "done"}, "4XX": _ERROR, "503": _ERROR},
    }
    if method in ("POST", "PUT", "PATCH") and (method, template) not in _BODILESS:
        content = _PATCH if method == "PATCH" else _BODIES.get((method, template), _ANY)
        described["requestBody"] = {"required": True, "content": content}
    return described


def _error_schema() -> dict[str, Any]:
    error = {"type": "object", "required": ["code", "message"], "properties": {"code": _STRING, "message": _STRING}}
    return {"type": "object", "required": ["error"], "properties": {"error": error}}


def answer(call: Call, operations: Mapping[str, Mapping[str, Any]], versions: tuple[str, ...]) -> Answer:
    """GET /openapi.json."""
    described = describe(operations, versions)
    described["servers"] = [{"url": call.base}]
    return Answer.of(described)
