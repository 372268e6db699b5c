#!/usr/bin/env python3
"""Fails on every #include "wing/room/file.hpp" that the table in docs/architecture.md does not allow."""
import pathlib
import re
import sys


def rooms_in_order(architecture: str) -> list[tuple[str, str]]:
    """(wing, room) pairs of the table, in its order."""
    order, wing = [], ""
    for line in architecture.splitlines():
        row = re.match(r"\|\s*(?:`(\w+)/`)?\s*\|\s*`(\w+)`\s*\|", line)
        if row:
            wing = row.group(1) or wing
            order.append((wing, row.group(2)))
    return order


def violations(root: pathlib.Path) -> list[str]:
    order = rooms_in_order((root / "docs/architecture.md").read_text())
    assert order and order[0][0], "docs/architecture.md has no table of wings and rooms"
    wings = list(dict.fromkeys(wing for wing, _ in order))
    found = []
    for source in sorted((root / "src").rglob("*.?pp")):
        here = source.relative_to(root / "src").parts
        if len(here) == 1:
            continue  # src/main.cpp may use everything
        if (here[0], here[1]) not in order:
            found.append(f"{source.relative_to(root)}: room {here[0]}/{here[1]} is not in the table")
            continue
        own = order.index((here[0], here[1]))
        for number, line in enumerate(source.read_text().splitlines(), 1):
            include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not include:
                continue
            parts = include.group(1).split("/")
            place = f"{source.relative_to(root)}:{number}"
            if len(parts) != 3 or (parts[0], parts[1]) not in order:
                found.append(f'{place}: "{include.group(1)}" is not of the form wing/room/file.hpp')
                continue
            other = order.index((parts[0], parts[1]))
            earlier_wing = wings.index(parts[0]) < wings.index(here[0])
            same_wing_earlier = parts[0] == here[0] and other <= own
            if not (earlier_wing or same_wing_earlier):
                found.append(f"{place}: {here[0]}/{here[1]} must not use {parts[0]}/{parts[1]}")
    return found


if __name__ == "__main__":
    problems = violations(pathlib.Path(sys.argv[1]))
    print("\n".join(problems) or "every include is allowed by docs/architecture.md")
    sys.exit(1 if problems else 0)
