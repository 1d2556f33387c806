#!/usr/bin/env python3
"""The main job, seen working, without an AWS account: three emulated accounts, scanned.

Installs an AWS-compatible server (moto) into a folder under ~/.cache, starts it on a free loopback port, builds
the accounts with boto3, scans each with the freshly built binary, and stops the server again.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
EMULATOR = HERE.parent / "tests" / "emulator"
ACCOUNTS = {
    "111111111111": "set up as documented",
    "222222222222": "set up as documented once, and changed since",
    "333333333333": "as accounts are before anybody looks",
}


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def run(program: pathlib.Path, *arguments: str, **environment: str) -> int:
    print("$ ssm-audit " + " ".join(arguments), flush=True)
    return subprocess.run([program, *arguments], env={**os.environ, **environment}, check=False).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target-dir", type=pathlib.Path, required=True)
    program = parser.parse_args().target_dir / "debug" / "ssm-audit"
    installed = subprocess.run([sys.executable, EMULATOR / "install.py"], stdout=subprocess.PIPE, text=True, check=True)
    python = pathlib.Path(installed.stdout.strip()) / "bin" / "python"

    server = subprocess.Popen(
        [python, EMULATOR / "moto_additions.py", "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = server.stdout.readline().strip().removeprefix("listening on ")
        if not url.startswith("http"):
            sys.exit("the emulated AWS did not start")
        seeding = [python, EMULATOR / "accounts.py", "--endpoint-url", url, "--demo"]
        accounts = json.loads(subprocess.run(seeding, stdout=subprocess.PIPE, text=True, check=True).stdout)
        say(f"An emulated AWS is running at {url}, with {len(accounts)} accounts.")
        for account in accounts:
            say(f"{account['account']}: {ACCOUNTS[account['account']]}")
            began = time.monotonic()
            code = run(program, "scan", AWS_ENDPOINT_URL=url, **account["credentials"])
            print(f"(exit code {code}, {time.monotonic() - began:.1f} s)", flush=True)
    finally:
        server.stdin.close()
        server.wait(timeout=10)
    say("Next: `ssm-audit rules explain ec2-imdsv2-required`, and the README for a real account.")


if __name__ == "__main__":
    main()
