#!/usr/bin/env python3
"""Demonstration without an AWS account: scan three emulated accounts, fix two of them, undo one fix.

Installs an AWS-compatible server (moto) into a folder under ~/.cache, starts it on a free loopback port, builds
the accounts with boto3, runs the freshly built binary on them, and stops the server again.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
EMULATOR = HERE.parent / "tests" / "emulator"
ACCOUNTS = {
    "111111111111": "compliant with the documented setup",
    "222222222222": "compliant once, and changed since",
    "333333333333": "without a Session Manager setup",
}
# Values that only the owner of an account knows.
SETTINGS = """\
fix:
  tags: {AppID: session-manager, DataType: Sensitive}
"""


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m\n" if sys.stdout.isatty() else f"\n{text}\n", flush=True)


class Demo:
    """Runs the binary on an account."""

    def __init__(self, program: pathlib.Path, folder: str, url: str, account: dict):
        self.program = program
        self.folder = folder
        self.id = account["account"]
        places = {"AWS_ENDPOINT_URL": url, "SSM_AUDIT_STATE": f"{folder}/state"}
        self.environment = {**os.environ, **places, **account["credentials"]}

    def run(self, *arguments: str) -> str:
        print("$ ssm-audit " + " ".join(arguments), flush=True)
        began = time.monotonic()
        # Line by line, to print output as it appears and to return it.
        command = [self.program, *arguments]
        running = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        lines = []
        for line in running.stdout:
            lines.append(line)
            print(line, end="", flush=True)
        code = running.wait()
        print(f"(exit code {code}, {time.monotonic() - began:.1f} s)\n", flush=True)
        return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target-dir", type=pathlib.Path, required=True)
    program = parser.parse_args().target_dir.resolve() / "debug" / "ssm-audit"
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
        made = json.loads(subprocess.run(seeding, stdout=subprocess.PIPE, text=True, check=True).stdout)
        say(f"An emulated AWS is running at {url}, with {len(made)} accounts.")
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "ssm-audit.yaml").write_text(SETTINGS, encoding="utf-8")
            show([Demo(program, folder, url, account) for account in made])
    finally:
        server.stdin.close()
        server.wait(timeout=10)
    say("Next: `ssm-audit rules explain ec2-imdsv2-required`, and the README for a real account.")


def show(accounts: list) -> None:
    for account in accounts:
        say(f"{account.id}: {ACCOUNTS[account.id]}")
        account.run("scan")
    _, changed, untouched = accounts
    say(f"The plan for {changed.id}. Nothing is changed yet.")
    changed.run("fix")
    say("Apply the plan and verify it. Changes that need --resource or --allow are left out.")
    fixed = changed.run("fix", "--yes")
    changed.run("scan")
    say(f"Create what {untouched.id} lacks: a key, a log group, a bucket, a role, the session preferences.")
    untouched.run("fix", "--yes", "--allow", "replace")
    untouched.run("scan")
    say(f"Undo the fix of {changed.id}.")
    run = re.search(r"ssm-audit undo (\S+?)`", fixed)
    if run is None:
        sys.exit("the fix did not name the command that undoes it")
    changed.run("undo", run.group(1), "--yes")
    changed.run("scan")


if __name__ == "__main__":
    main()
