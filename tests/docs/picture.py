#!/usr/bin/env python3
"""Draws the output of a command on a terminal as SVG.

    ssm-audit scan … --color always | python3 tests/docs/picture.py '$ ssm-audit scan …' > docs/scan.svg

Reads text with ANSI styles. The argument is the line of the prompt. The picture has a light and a dark form, of which a browser
shows the one that the reader prefers.
"""

import re
import sys
from html import escape

WIDTH, LINE, TOP, LEFT = 8.0, 19, 44, 16
COLORS = {"31": "red", "91": "red", "32": "green", "92": "green", "33": "yellow", "93": "yellow", "36": "cyan", "96": "cyan"}
# 256-colour escapes of the eight basic colours.
INDEXED = {"1": "red", "9": "red", "2": "green", "10": "green", "3": "yellow", "11": "yellow", "6": "cyan", "14": "cyan"}
STYLE = """
    .back { fill: #ffffff; stroke: #d0d7de } text { fill: #1f2328; white-space: pre } .dim { fill: #656d76 } .bold { font-weight: 700 }
    .red { fill: #c21f2d } .green { fill: #17713b } .yellow { fill: #8a5a00 } .cyan { fill: #0b6b80 }
    @media (prefers-color-scheme: dark) {
      .back { fill: #0d1117; stroke: #30363d } text { fill: #e6edf3 } .dim { fill: #9198a1 }
      .red { fill: #ff7b72 } .green { fill: #56d364 } .yellow { fill: #e3b341 } .cyan { fill: #76e3ea }
    }
"""


def styles(codes: str, current: frozenset) -> frozenset:
    """The classes that hold after an escape sequence."""
    numbers = codes.split(";") if codes else ["0"]
    chosen = set(current)
    while numbers:
        number = numbers.pop(0)
        if number in ("", "0"):
            chosen.clear()
        elif number in ("1", "2"):
            chosen.add("bold" if number == "1" else "dim")
        elif number == "38" and numbers[:1] == ["5"]:
            chosen.add(INDEXED.get(numbers[1], ""))
            numbers = numbers[2:]
        elif number in COLORS:
            chosen.add(COLORS[number])
    return frozenset(chosen - {""})


def draw(lines: list) -> str:
    columns = max(len(re.sub("\x1b\\[[0-9;]*m", "", line)) for line in lines)
    width, height = columns * WIDTH + 2 * LEFT, len(lines) * LINE + TOP + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height}" viewBox="0 0 {width:g} {height}"'
        ' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1}" rx="8"/>',
        *(f'<circle cx="{20 + 18 * n}" cy="18" r="5" fill="{color}"/>' for n, color in enumerate(("#ed6a5e", "#f4be4f", "#61c554"))),
    ]
    current = frozenset()
    for number, line in enumerate(lines):
        column, spans = 0, []
        for piece in re.split("(\x1b\\[[0-9;]*m)", line):
            if match := re.fullmatch("\x1b\\[([0-9;]*)m", piece):
                current = styles(match[1], current)
                continue
            if piece.strip():
                classes = f' class="{" ".join(sorted(current))}"' if current else ""
                text = piece.lstrip(" ")
                at = column + len(piece) - len(text)
                text = text.rstrip(" ")
                spans.append(f'<tspan x="{LEFT + at * WIDTH:g}" textLength="{len(text) * WIDTH:g}"{classes}>{escape(text)}</tspan>')
            column += len(piece)
        if spans:
            parts.append(f'<text y="{TOP + number * LINE}">{"".join(spans)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    lines = sys.stdin.read().rstrip("\n").split("\n")
    sys.stdout.write(draw([f"\x1b[1m{sys.argv[1]}\x1b[0m", *lines]))


if __name__ == "__main__":
    main()
