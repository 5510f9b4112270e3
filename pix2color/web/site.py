"""A static site that colours photos inside the browser: any host of files can give it out.

``python -m pix2color.web.site OUT`` writes it. It holds the page, a model, and the build of
onnxruntime for browsers, which npm fetches once into a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from pix2color.errors import MissingExtraError, Pix2colorError, StorageError
from pix2color.files import coloring_model, hash_file
from pix2color.models.onnx_file import OnnxNetwork
from pix2color.progress import say
from pix2color.web.guard import POLICY

PAGE = Path(__file__).parent / "page"
RUNTIME_VERSION = "1.30.0"
_RUNTIME_HASH = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
_RUNTIME = "ort-wasm-simd-threaded.wasm"
_RUNTIME_FILES = {  # by their names in the package
    "dist/ort.wasm.bundle.min.mjs": "ort.wasm.bundle.min.mjs",
    f"dist/{_RUNTIME}": _RUNTIME,
    "README.md": "README.md",
}
_NOTICES = ("WEIGHTS-NOTICE.md", "WEIGHTS-LICENSE-APACHE.txt")
_ENGINE = 'export { Engine } from "./engines/browser.js";\n'
_SITE_LINE = 'const SITE = { policy: "", files: {} };'
_MANIFEST = "model.json"
_HEADERS = f"""\
/*
  Content-Security-Policy: {POLICY}
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
"""


def build_site(
    out: Path, runtime: Path | None = None, *, model: str = "default", page: Path = PAGE
) -> None:
    """Write the site into a folder; an older site in it is removed first.

    Args:
        out: the folder.
        runtime: a folder with the files of onnxruntime-web; if they are missing, they are fetched
            into it. By default it is one in the user's cache.
        model: an ONNX file, or the name of a model that ships with the package.
        page: the folder with the page.

    Raises:
        MissingPathError: there is no such model.
        ModelError: the model is damaged.
        MissingExtraError: npm is needed and not installed, or has no connection.
        StorageError: the folder holds something else, or npm has fetched something else.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / _MANIFEST).is_file():
        raise StorageError(f"{out}: holds other things than a site; name another folder")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(page, out)
    (out / "engine.js").write_text(_ENGINE, encoding="utf-8")
    _copy_runtime(runtime or _cache(), out / "onnxruntime")
    _copy_model(coloring_model(model), out)
    _list_files(out)
    # Netlify and Cloudflare read headers from this file, which no browser asks for.
    (out / "_headers").write_text(_HEADERS, encoding="utf-8")


def _copy_model(source: Path, out: Path) -> None:
    """Copy a model, and write what the page must know of it."""
    network = OnnxNetwork(source, "cpu")  # which checks that its files are whole
    info, weights = network.info, network.weights
    names = {"graph": source.name} | ({"weights": weights.name} if weights else {})
    folder = out / "model"
    folder.mkdir()
    shipped = source.parent == Path(__file__).parent.parent
    for name in [*names.values(), *(_NOTICES if shipped else ())]:
        shutil.copyfile(source.with_name(name), folder / name)
    files = {kind: f"model/{name}" for kind, name in names.items()}
    files["runtime"] = f"onnxruntime/{_RUNTIME}"
    described: dict[str, Any] = {
        "name": source.stem,
        "renderSize": info.render_size,
        "takesHints": info.takes_hints,
        "givesDoubt": info.gives_doubt,
        **files,
        "files": {name: _checks(out / name) for name in files.values()},
    }
    (out / _MANIFEST).write_text(json.dumps(described, indent=1), encoding="utf-8")


def _checks(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": hash_file(path)}


def _list_files(out: Path) -> None:
    """Write names and hashes of the site's files into its service worker."""
    worker = out / "service-worker.js"
    paths = sorted(path for path in out.rglob("*") if path.is_file() and path != worker)
    files = {path.relative_to(out).as_posix(): hash_file(path) for path in paths}
    script = worker.read_text(encoding="utf-8")
    site = json.dumps({"policy": POLICY, "files": files})
    head, line, tail = script.partition(_SITE_LINE)
    if not line:
        raise StorageError(f"{worker}: has no place for the list of files")
    worker.write_text(f"{head}const SITE = {site};{tail}", encoding="utf-8")


def _cache() -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "pix2color" / f"onnxruntime-web-{RUNTIME_VERSION}"


def _copy_runtime(source: Path, out: Path) -> None:
    if not all((source / name).is_file() for name in _RUNTIME_FILES.values()):
        _fetch_runtime(source)
    out.mkdir()
    for name in _RUNTIME_FILES.values():
        shutil.copyfile(source / name, out / name)


def _fetch_runtime(folder: Path) -> None:
    """Fetch the package by npm, and keep of it the few files that browsers load."""
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / f"onnxruntime-web-{RUNTIME_VERSION}.tgz"
    say(f"fetching onnxruntime-web {RUNTIME_VERSION} by npm")
    try:
        subprocess.run(
            ["npm", "pack", f"onnxruntime-web@{RUNTIME_VERSION}", "--silent"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        if hash_file(package) != _RUNTIME_HASH:
            raise StorageError(f"{package}: is not the package that was asked for")
        with tarfile.open(package) as archive:
            for member, name in _RUNTIME_FILES.items():
                content = archive.extractfile(f"package/{member}")
                assert content is not None, "a file, as the hash says"
                (folder / name).write_bytes(content.read())
    except FileNotFoundError as error:
        raise MissingExtraError(
            f"npm is needed once to fetch onnxruntime-web {RUNTIME_VERSION}; install Node.js, or "
            "name a folder with its files by --onnxruntime"
        ) from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["it does not say why"])[0]
        raise MissingExtraError(f"npm could not fetch onnxruntime-web ({said})") from error
    finally:
        package.unlink(missing_ok=True)


def main() -> None:
    """Build the site that the command line asks for."""
    parser = argparse.ArgumentParser(description="Build a site that colours photos in browsers.")
    parser.add_argument("out", type=Path, help="folder to write; an older site in it is replaced")
    parser.add_argument("--onnxruntime", type=Path, help="folder with onnxruntime-web's files")
    parser.add_argument("--model", default="default", help="ONNX file, or default or open")
    given = parser.parse_args()
    try:
        build_site(given.out, given.onnxruntime, model=given.model)
    except Pix2colorError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    size = sum(path.stat().st_size for path in given.out.rglob("*") if path.is_file())
    say(f"{given.out}: {size / 1e6:.1f} MB, to be served by any host of files")


if __name__ == "__main__":
    main()
