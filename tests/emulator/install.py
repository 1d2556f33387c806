#!/usr/bin/env python3
"""Installs the emulators into a virtual environment of their own and prints its folder.

    python3 tests/emulator/install.py [FOLDER]

Without FOLDER the environment lives in ~/.cache/ssm-audit/emulator-<hash of requirements.txt>, so that
another set of pins never meets an old environment. What is installed already is left as it is; two
that run at once wait for each other. Needs Python 3.10 or newer and a package index.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def default_folder(digest: str) -> Path:
    return Path.home() / ".cache" / "ssm-audit" / f"emulator-{digest[:16]}"


def install(folder: Path, digest: str) -> None:
    """Leaves a stamp with the digest when all is in place; without it, everything is made anew."""
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, stdout=sys.stderr)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
    stamp.write_text(digest)


def main() -> int:
    if sys.version_info < (3, 10):
        print(f"the emulators need Python 3.10 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + version.encode()).hexdigest()
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default_folder(digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            install(folder, digest)
        except subprocess.CalledProcessError as error:
            print(f"failed to install the emulators into {folder}: {error}", file=sys.stderr)
            return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
