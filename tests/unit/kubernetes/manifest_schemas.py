"""Validates manifests against what each resource's own project publishes; unknown fields are errors."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

Manifest = dict[str, Any]

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "docker" / "kubernetes"

# The sleep of preStop needs no feature gate from 1.30 on.
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
_CORE = ("io.k8s.api.core.v1.", "io.k8s.apimachinery.pkg.apis.meta.v1.", "io.k8s.api.apps.v1.")
_PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}


def check(manifest: Manifest, kserve: Path) -> None:
    """Validate a manifest by its group.

    Args:
        manifest: the resource.
        kserve: the models of KServe's SDK.

    Raises:
        ValueError: a field is unknown, missing or wrong; the message has its path.
    """
    group = manifest["apiVersion"].partition("/")[0]
    try:
        if group == "monitoring.coreos.com":
            _check_prometheus_operator(manifest)
        elif group == "serving.kserve.io":
            list(_check_kserve(manifest, "V1beta1InferenceService", "$", kserve))
        else:
            for version in (OLDEST, NEWEST):
                kubernetes_validate.validate(manifest, version, strict=True)
    except jsonschema.ValidationError as error:
        raise ValueError(f"{manifest['kind']}: {error.json_path}: {error.message}") from error


def only(manifests: list[Manifest], kind: str, name: str) -> Any:
    """The one resource of that kind and name."""
    (found,) = (m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)
    return found


def _check_prometheus_operator(manifest: Manifest) -> None:
    schema = getattr(prometheus_operator, manifest["kind"]).model_json_schema(by_alias=True)
    jsonschema.validate(manifest, _closed(schema))


def _closed(schema: Any) -> Any:
    """The schema, with every object's unknown fields forbidden."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in schema else closed


def _check_kserve(value: Any, kind: str, path: str, models: Path) -> Iterator[None]:
    """Go down the SDK's models; they name types as `list[V1Container]` and `dict(str, str)`."""
    if match := re.fullmatch(r"list\[(.*)\]", kind):
        for number, item in enumerate(value):
            yield from _check_kserve(item, match[1], f"{path}[{number}]", models)
    elif match := re.fullmatch(r"dict\(str, (.*)\)", kind):
        for key, item in value.items():
            yield from _check_kserve(item, match[1], f"{path}.{key}", models)
    elif kind in _PLAIN:
        if not isinstance(value, _PLAIN[kind]):
            raise ValueError(f"{path}: got {value!r}, expected {kind}")
    elif fields := _kserve_fields(kind, models):
        for key, item in value.items():
            if key not in fields:
                raise ValueError(f"{path}: unknown field {key!r} of {kind}")
            yield from _check_kserve(item, fields[key], f"{path}.{key}", models)
    else:
        _check_definition(value, kind, path)


@cache
def _kserve_fields(kind: str, models: Path) -> dict[str, str]:
    """A model's fields in JSON and their types, read from its source: importing it wants all of the SDK."""
    file = models / f"{re.sub(r'(?<=[a-z0-9])(?=[A-Z][a-z])', '_', kind).lower()}.py"
    if not file.exists():
        return {}
    tables: dict[str, dict[str, str]] = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("openapi_types", "attribute_map")
    }
    return {json: tables["openapi_types"][name] for name, json in tables["attribute_map"].items()}


def _check_definition(value: Any, kind: str, path: str) -> None:
    """One of Kubernetes' own types within another's resource, such as `V1Container`."""
    name = f"kubernetes-json-schema/v{NEWEST.removesuffix('.0')}.0-local-strict/_definitions.json"
    definitions = schema_contents(name, NEWEST)
    found = [prefix + kind[2:] for prefix in _CORE if prefix + kind[2:] in definitions["$defs"]]
    registry: Registry[Any] = Resource.from_contents(definitions) @ Registry()
    schema = {"$schema": definitions["$schema"], "$ref": f"{definitions['$id']}#/$defs/{found[0]}"}
    try:
        jsonschema.Draft202012Validator(schema, registry=registry).validate(value)
    except jsonschema.ValidationError as error:
        raise ValueError(f"{path}{error.json_path[1:]}: {error.message}") from error
