#!/usr/bin/env python3
"""Fails on a trap or claim of cases.toml that no unit test holds, and on a test case that names one it does not have."""
import pathlib
import re
import sys
import tomllib


def cases_of(tests: pathlib.Path) -> dict[str, set[str]]:
    """For each room with unit tests: the ids that names of its test cases begin with."""
    held: dict[str, set[str]] = {}
    for source in sorted(tests.glob("unit/*/*_test.cpp")):
        for name in re.findall(r'TEST_CASE\(\s*"([^"]*)"?', source.read_text()):
            ids = re.match(r"((?:[A-Z]\d+)(?:, [A-Z]\d+)*): ", name)
            if ids:
                held.setdefault(source.parent.name, set()).update(ids.group(1).split(", "))
    return held


def problems(rows: dict[str, dict], held: dict[str, set[str]]) -> list[str]:
    found = []
    for id, row in rows.items():
        if ("rooms" in row) == ("no_case" in row) or not (row.get("rooms") or row.get("no_case")):
            found.append(f"{id}: either rooms that hold it, or the reason why none does")
        for room in row.get("rooms", []):
            if id not in held.get(room, set()):
                found.append(f"{id} ({row['says']}): no test case of tests/unit/{room} begins with it")
    for room, ids in sorted(held.items()):
        for id in sorted(ids):
            if room not in rows.get(id, {}).get("rooms", []):
                found.append(f"{id}: tests/unit/{room} has a case that cases.toml does not list")
    numbers: dict[str, list[int]] = {}
    for id in rows:
        numbers.setdefault(id[0], []).append(int(id[1:]))
    for letter, here in numbers.items():
        if here != list(range(1, len(here) + 1)):
            found.append(f"{letter}: rows are numbered from 1, in order and without a gap")
    return found


if __name__ == "__main__":
    folder = pathlib.Path(__file__).resolve().parent
    rows = tomllib.loads((folder / "cases.toml").read_text())
    wrong = problems(rows, cases_of(folder.parent))
    print("\n".join(wrong) or f"{len(rows)} traps and claims are accounted for")
    sys.exit(1 if wrong else 0)
