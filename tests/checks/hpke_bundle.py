"""The one bundle of the pages, mpc_cde/web/pages/vendor/hpke.js: from a pinned lock file, with its licences.

`python -m tests.checks.hpke_bundle` builds it with npm and writes it, `--check` compares. Without npm, or where npm
cannot fetch, --check compares the committed SHA-256 only, and says so.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "mpc_cde" / "web" / "hpke_bundle"
VENDOR = ROOT / "mpc_cde" / "web" / "pages" / "vendor"
BUNDLED = ("@hpke/core", "@hpke/common", "@hpke/dhkem-x25519", "@hpke/hybridkem-x-wing", "mlkem")
ESBUILD = ("--bundle", "--format=esm", "--charset=utf8", "--legal-comments=none", "--target=es2022")


class NotBuilt(Exception):
    """npm is missing, or could not fetch what the lock file names."""


def build() -> dict[str, bytes]:
    """The files of the bundle by name. Raises NotBuilt."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotBuilt("npm is not installed")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for source in SOURCE.iterdir():
            shutil.copy(source, place)
        done = subprocess.run(  # our own arguments, found on the path
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"],
            cwd=place,
            capture_output=True,
            timeout=110,
            check=False,
        )
        if done.returncode != 0:
            raise NotBuilt("npm could not fetch what the lock file names")
        esbuild = place / "node_modules" / ".bin" / "esbuild"
        script = subprocess.run(  # the very version that the lock file pins
            [esbuild, "entry.js", *ESBUILD], cwd=place, capture_output=True, check=True
        ).stdout
        licences = [licence_of(place / "node_modules" / name, name) for name in BUNDLED]
    digest = hashlib.sha256(script).hexdigest()
    return {
        "hpke.js": script,
        "hpke.LICENSE.txt": "\n".join(licences).encode(),
        "hpke.sha256": f"{digest}  hpke.js\n".encode(),
    }


def licence_of(package: Path, name: str) -> str:
    version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    text = next(file for file in package.iterdir() if file.name.upper().startswith("LICENSE"))
    return f"{name} {version}\n\n{text.read_text('utf-8').strip()}\n"


def fault_of_lock() -> str | None:
    """The lock file pins every package by its hash, and names no registry."""
    lock = json.loads((SOURCE / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    if any("resolved" in entry for entry in packages.values()):
        return "package-lock.json: holds addresses of packages; remove every `resolved`"
    if not all("integrity" in entry for entry in packages.values()):
        return "package-lock.json: a package is not pinned by its hash"
    return None


def main(check: bool) -> int:
    """Write the files, or compare; the exit status."""
    fault = fault_of_lock()
    committed = (VENDOR / "hpke.sha256").read_text("utf-8") if check else ""
    if check and hashlib.sha256((VENDOR / "hpke.js").read_bytes()).hexdigest() not in committed:
        fault = "vendor/hpke.js is not what its SHA-256 says"
    if fault is not None:
        sys.stderr.write(fault + "\n")
        return 1
    try:
        built = build()
    except NotBuilt as error:
        sys.stderr.write(f"the HPKE bundle was not rebuilt: {error}\n")
        return 0 if check else 1
    for name, content in built.items():
        if not check:
            VENDOR.mkdir(parents=True, exist_ok=True)
            (VENDOR / name).write_bytes(content)
        elif (VENDOR / name).read_bytes() != content:
            sys.stderr.write(f"vendor/{name} differs from what the lock file makes\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
