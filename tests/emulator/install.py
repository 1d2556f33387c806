#!/usr/bin/env python3
"""Installs the emulators into a virtual environment of their own and prints its folder.

    python3 tests/emulator/install.py [--requirements FILE] [FOLDER]

FILE is another set of pins than that of the emulators. Without FOLDER the environment lives in
~/.cache/ssm-audit/emulator-<hash of requirements.txt> (or under the name of FILE's folder), so that another
set of pins never meets an old environment. What is installed already is left as it is; two that run at once
wait for each other. Needs Python 3.10 or newer and a package index.
"""

import argparse
import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def default_folder(requirements: Path, digest: str) -> Path:
    return Path.home() / ".cache" / "ssm-audit" / f"{requirements.resolve().parent.name}-{digest[:16]}"


def install(folder: Path, requirements: Path, digest: str) -> None:
    """Leaves a stamp with the digest when all is in place; without it, everything is made anew."""
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, stdout=sys.stderr)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(requirements)], check=True, stdout=sys.stderr)
    stamp.write_text(digest)


def main() -> int:
    if sys.version_info < (3, 10):
        print(f"the tests need Python 3.10 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(description="Installs the emulators, or another set of pins.")
    parser.add_argument("--requirements", type=Path, default=REQUIREMENTS, metavar="FILE")
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    arguments = parser.parse_args()
    requirements = arguments.requirements
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(requirements.read_bytes() + version.encode()).hexdigest()
    folder = arguments.folder.resolve() if arguments.folder else default_folder(requirements, digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            install(folder, requirements, digest)
        except subprocess.CalledProcessError as error:
            print(f"failed to install {requirements} into {folder}: {error}", file=sys.stderr)
            return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
