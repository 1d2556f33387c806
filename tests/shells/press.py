#!/usr/bin/env python3
"""Types into a real shell on a terminal of its own, and reads what the terminal shows.

    press.py SHELL KEYS EXPECTED

Runs an interactive SHELL, waits for its prompt `ready>`, types KEYS (`\\t` is TAB), and waits until EXPECTED is shown. Prints what was
shown, and fails if EXPECTED was not among it. The files that the shell reads when it starts are under HOME, which the caller
chooses.
"""

import os
import pty
import re
import select
import sys
import time

COMMANDS = {"bash": ["bash", "-i"], "zsh": ["zsh", "-i"], "fish": ["fish", "-i"]}
# Sequences by which a shell asks the terminal about itself, and answers, for which fish waits.
ANSWERS = {b"\x1b[c": b"\x1b[?62;c", b"\x1b[0c": b"\x1b[?62;c", b"\x1b[6n": b"\x1b[1;1R"}


# How long a shell may take on a busy machine, in seconds.
LONGEST = 60


def plain(text: bytes) -> str:
    """The text without escape sequences."""
    sequence = r"\x1b(\[[0-9;?>]*[A-Za-z]|[=>()][0-9A-Za-z]?|\][^\x07]*\x07)"
    return re.sub(sequence, "", text.decode(errors="replace"))


def read_until(terminal: int, expected: str) -> str:
    """What is shown until the expected text is."""
    text, began = b"", time.monotonic()
    while expected not in plain(text) and time.monotonic() - began < LONGEST:
        ready, _, _ = select.select([terminal], [], [], 1)
        if not ready:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        for asked, answer in ANSWERS.items():
            if asked in piece:
                os.write(terminal, answer)
        text += piece
    return plain(text)


def main() -> None:
    shell, keys, expected = sys.argv[1:]
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm", COLUMNS="200", LINES="50")
        os.execvp(COMMANDS[shell][0], COMMANDS[shell])
    try:
        shown = read_until(terminal, "ready>")
        # What is typed before the shell reads keys is not completed.
        time.sleep(0.5)
        os.write(terminal, keys.replace("\\t", "\t").encode())
        shown += read_until(terminal, expected)
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)
    print(shown)
    sys.exit(expected not in shown)


if __name__ == "__main__":
    main()
