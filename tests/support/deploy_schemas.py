"""Closed schemas of everything the chart makes: Kubernetes' own in several versions, and the operators' out of their CRDs.

A field that a schema does not name is an error here, although the API server would only drop it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from tools.deploy.render import TOOLS, Manifest
from tools.devstack.settings import CHECKOUT

KUBERNETES = ("1.34.0", "1.35.0", "1.36.0")
_SCHEMAS = CHECKOUT / ".venv-deploy/lib/python3.11/site-packages/kubernetes_validate/kubernetes-json-schema"
_NARROWING = frozenset(
    {"oneOf", "anyOf", "allOf", "not"}
)  # they only narrow: closed, they would refuse their siblings' fields
Schema = dict[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads a bare `=`, which the Prometheus operator's enums hold, as text."""


_Loader.add_constructor("tag:yaml.org,2002:value", _Loader.construct_scalar)


def problems(manifest: Manifest, kubernetes: str) -> list[str]:
    """Returns what is wrong with an object, each with its path; an object of a kind that nobody has a schema of is wrong."""
    validator = _validator(manifest.get("apiVersion", ""), manifest.get("kind", ""), kubernetes)
    if validator is None:
        return [f"{manifest.get('apiVersion')} {manifest.get('kind')}: there is no such kind in {kubernetes}"]
    name = f"{manifest['kind']}/{manifest.get('metadata', {}).get('name')}"
    return [
        f"{name} at /{'/'.join(map(str, error.instance_path))}: {error.message[:300]}"
        for error in validator.iter_errors(manifest)
    ]


@cache
def _validator(api_version: str, kind: str, kubernetes: str) -> jsonschema_rs.Draft202012Validator | None:
    custom = _custom().get((api_version, kind))
    if custom is not None:
        return jsonschema_rs.Draft202012Validator(custom)
    registry, identifiers = _core(kubernetes)
    identifier = identifiers.get((api_version, kind))
    if identifier is None:
        return None
    reference = {"$ref": f"urn:kubernetes:{kubernetes}#/$defs/{identifier}"}
    return jsonschema_rs.Draft202012Validator(reference, registry=registry)


@cache
def _core(kubernetes: str) -> tuple[jsonschema_rs.Registry, Mapping[tuple[str, str], str]]:
    definitions = json.loads(
        (_SCHEMAS / f"v{kubernetes}-local-strict" / "_definitions.json").read_text(encoding="utf-8")
    )
    definitions.pop("$id")  # an address to fetch from; ours is the registry's
    identifiers = {}
    for identifier, schema in definitions["$defs"].items():
        for entry in schema.get("x-kubernetes-group-version-kind", []):
            version = f"{entry['group']}/{entry['version']}" if entry["group"] else entry["version"]
            identifiers[version, entry["kind"]] = identifier
    return jsonschema_rs.Registry([(f"urn:kubernetes:{kubernetes}", definitions)]), identifiers


@cache
def _custom() -> Mapping[tuple[str, str], Schema]:
    found: dict[tuple[str, str], Schema] = {}
    for path in sorted((TOOLS / "crds").rglob("*.yaml")):
        for document in _documents(path):
            if not document or document.get("kind") != "CustomResourceDefinition":
                continue
            spec = document["spec"]
            for version in spec["versions"]:
                api_version = f"{spec['group']}/{version['name']}"
                schema = _closed(version["schema"]["openAPIV3Schema"])
                schema["properties"] = {
                    **schema.get("properties", {}),
                    "apiVersion": {"const": api_version},
                    "kind": {"const": spec["names"]["kind"]},
                    "metadata": {"type": "object"},
                }
                found[api_version, spec["names"]["kind"]] = schema
    return found


def _documents(path: Path) -> list[Any]:
    """Reads a file of CRDs; parsed ones are kept as JSON beside the tools, which is read fifty times as fast."""
    kept = TOOLS / "parsed" / f"{path.parent.name}-{path.stem}.json"
    if kept.exists() and kept.stat().st_mtime >= path.stat().st_mtime:
        return json.loads(kept.read_text(encoding="utf-8"))
    documents = [document for document in yaml.load_all(path.read_text(encoding="utf-8"), _Loader) if document]
    kept.parent.mkdir(exist_ok=True)
    temporary = kept.with_suffix(f".{id(documents)}")
    temporary.write_text(json.dumps(documents, default=str), encoding="utf-8")
    temporary.replace(kept)
    return documents


def _closed(schema: Any) -> Any:
    """Returns a CRD's schema as plain JSON schema that takes no field it does not name."""
    if not isinstance(schema, dict):
        return schema
    closed = {name: value if name in _NARROWING else _closed_part(name, value) for name, value in schema.items()}
    is_open = closed.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in closed
    if "properties" in closed and not is_open:
        closed["additionalProperties"] = False
    if closed.pop("x-kubernetes-int-or-string", False):
        closed.pop("type", None)
        closed.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if closed.get("nullable") and isinstance(closed.get("type"), str):
        closed["type"] = [closed["type"], "null"]
    return closed


def _closed_part(name: str, value: Any) -> Any:
    if name == "properties":
        return {key: _closed(part) for key, part in value.items()}
    return _closed(value) if name in {"items", "additionalProperties"} else value
