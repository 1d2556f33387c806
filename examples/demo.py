#!/usr/bin/env python3
"""Demonstration without an AWS account: scan an emulated account, plan a fix, apply it, undo it.

Installs an AWS-compatible server (moto) into a folder under ~/.cache, starts it on a free loopback port, builds three accounts with
boto3, runs the freshly built binary on them, and stops the server again. With --play, the server stays up for a shell in which
ssm-audit and the AWS CLI reach one of the accounts.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
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
# Account of the acts and of the shell.
CHANGED = "222222222222"
# Values that only the owner of an account knows.
SETTINGS = """\
fix:
  tags: {AppID: session-manager, DataType: Sensitive}
"""
# Lines of an act that fit a screen. The rest is counted.
LINES = 32
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def say(text: str) -> None:
    print(f"{BOLD}{text}{PLAIN}", flush=True)


def act(number: int, name: str, text: str) -> None:
    print(f"\n{BOLD}{'─' * 4} {number} of 4 · {name} {'─' * 40}{PLAIN}\n{text}\n", flush=True)


class Account:
    """Runs the binary on an account."""

    def __init__(self, program: pathlib.Path, folder: str, url: str, account: dict):
        self.program = program
        self.folder = folder
        self.id = account["account"]
        places = {"AWS_ENDPOINT_URL": url, "SSM_AUDIT_STATE": f"{folder}/state", "AWS_EC2_METADATA_DISABLED": "true"}
        region = {"AWS_DEFAULT_REGION": account["credentials"]["AWS_REGION"]}
        self.variables = {**places, **region, **account["credentials"]}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SSM_AUDIT_"))}
        self.environment = {**inherited, **self.variables}

    def run(self, *arguments: str, first: int = 0, last: int = 0) -> str:
        """Runs a command, and shows the first or the last blocks of its output, at most so many lines."""
        print(f"{BOLD}$ ssm-audit {' '.join(arguments)}{PLAIN}", flush=True)
        began = time.monotonic()
        color = "always" if sys.stdout.isatty() else "never"
        columns = str(min(shutil.get_terminal_size((100, 40)).columns, 100))
        ended = subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env={**self.environment, "SSM_AUDIT_COLOR": color, "COLUMNS": columns},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = ended.stdout.rstrip("\n").split("\n")
        part = lines[:first] if first else lines[-last:]
        if len(part) < len(lines) and "" in part:
            part = part[: len(part) - part[::-1].index("") - 1] if first else part[part.index("") + 1 :]
        left_out = f"… {len(lines) - len(part)} lines" if len(part) < len(lines) else None
        print("\n".join(line for line in ([*part, left_out] if first else [left_out, *part]) if line is not None))
        print(f"(exit code {ended.returncode}, {time.monotonic() - began:.1f} s)\n", flush=True)
        return ended.stdout


@contextlib.contextmanager
def accounts(program: pathlib.Path):
    """Starts the emulated AWS with its accounts, and stops it at the end."""
    say("Installing the emulated AWS (moto) and the AWS CLI from PyPI into ~/.cache/ssm-audit. After the first time, this is done.")
    installed = subprocess.run([sys.executable, EMULATOR / "install.py"], stdout=subprocess.PIPE, text=True, check=True)
    python = pathlib.Path(installed.stdout.strip()) / "bin" / "python"
    say("Starting it on loopback, and making three accounts.")
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
        with tempfile.TemporaryDirectory() as folder:
            yield python.parent, {account["account"]: Account(program, folder, url, account) for account in made}
    finally:
        server.stdin.close()
        server.wait(timeout=10)


def show(made: dict) -> None:
    account = made[CHANGED]
    act(1, "before", f"Account {CHANGED} followed the documented setup once, and was changed since.")
    account.run("scan", last=LINES)
    act(2, "plan", "What a fix would change. Changes that need --resource or --allow are left out. Nothing is changed yet.")
    account.run("fix", first=LINES)
    act(3, "after", "The plan is applied and verified by reading again, and what is left is scanned.")
    fixed = account.run("fix", "--yes", "--quiet", last=28)
    account.run("scan", "--summary", first=12)
    act(4, "undone", "One command restores the previous values.")
    run = re.search(r"ssm-audit undo (\S+?)`", fixed)
    if run is None:
        sys.exit("the fix did not name the command that undoes it")
    account.run("undo", run.group(1), "--yes", "--quiet", last=LINES // 2 + 2)
    account.run("scan", "--summary", last=LINES // 2 + 4)


def play(programs: pathlib.Path, made: dict) -> None:
    """Runs a shell in which ssm-audit and the AWS CLI reach an account, until it ends."""
    account = made[CHANGED]
    pathlib.Path(account.folder, "ssm-audit.yaml").write_text(SETTINGS, encoding="utf-8")
    shell = os.environ.get("SHELL") or "/bin/sh"
    paths = [str(account.program.parent), str(programs), account.environment.get("PATH", "")]
    say("\nThe accounts are up until you leave this shell (exit). It reaches account " + CHANGED + ". Try:\n")
    print("  ssm-audit scan\n  ssm-audit fix --rule ec2-imdsv2-required\n  aws ssm describe-instance-information\n")
    print("Other accounts, by their access key:")
    for other in made.values():
        print(f"  AWS_ACCESS_KEY_ID={other.id} ssm-audit scan    # {ACCOUNTS[other.id]}")
    print(flush=True)
    subprocess.run([shell], cwd=account.folder, env={**account.environment, "PATH": os.pathsep.join(paths)}, check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target-dir", type=pathlib.Path, required=True)
    parser.add_argument("--play", action="store_true", help="keep the accounts up with a shell")
    arguments = parser.parse_args()
    program = arguments.target_dir.resolve() / "debug" / "ssm-audit"
    with accounts(program) as (programs, made):
        if arguments.play:
            play(programs, made)
        else:
            show(made)
    if arguments.play:
        say("The accounts are gone.")
        return
    say("Try by hand:")
    ours = os.path.relpath(program)
    print("  make play                                      # these accounts, with a shell")
    print(f"  {ours} rules explain ec2-imdsv2-required")
    print(f"  {ours} scan examples/account.json -o report.html")


if __name__ == "__main__":
    main()
