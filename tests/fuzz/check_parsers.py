#!/usr/bin/env python3
"""Fails on a parser that no fuzz target feeds: every function that a header of src/ declares to read a text or bytes
must be called by a target, or stand in parsers.toml with the parser that calls it or the reason why it needs none."""
import pathlib
import re
import sys
import tomllib

PARSER = re.compile(
    r"(?:^|[\s>&*])((?:parse|read|from|is_malformed)\w*)\(\s*(?:std::)?(?:string_view|span<const std::byte>|const std::string&)\s+(\w+)"
)
PATHS = {"path", "folder", "directory", "file"}  # what is opened, not what is read


def parsers_of(source: pathlib.Path) -> list[str]:
    """Functions by name, static ones and methods as Type::name; plain `parse` as room::parse."""
    found, inside, is_private = [], "", False
    for line in source.read_text().splitlines():
        kind = re.match(r"\s*(?:class|struct)\s+(\w+)\b(?!.*;)", line)
        inside = kind.group(1) if kind else "" if line.startswith("};") else inside
        access = re.match(r"\s*(public|private):", line)  # what is private is fed through what is public
        is_private = access.group(1) == "private" if access else is_private and not kind and bool(inside)
        declared = PARSER.search(line)
        if not declared or is_private or line.lstrip().startswith(("//", "return", "auto")) or declared.group(2) in PATHS:
            continue
        name = declared.group(1)
        if inside:
            name = f"{inside}::{name}"
        elif name == "parse":
            name = f"{source.parent.name}::{name}"
        found.append(name)
    return found


def problems(parsers: set[str], targets: str, listed: dict[str, dict[str, str]]) -> list[str]:
    def is_fed(name: str) -> bool:
        pattern = rf"\b{re.escape(name)}\b"
        if name.endswith("::parse"):  # a template of a target's may be what names the type: reads_back<Version>
            pattern += rf"|\b{re.escape(name[: -len('::parse')])}>"
        return re.search(pattern, targets) is not None

    through, none = listed.get("through", {}), listed.get("none", {})
    found = []
    for name in sorted(parsers):
        seen, at = {name}, name
        while not is_fed(at) and at in through and through[at] not in seen:
            at = through[at]
            seen.add(at)
        if not is_fed(at) and not none.get(name):
            found.append(f"{name}: no fuzz target feeds it")
    for name in sorted({*through, *none} - parsers):
        found.append(f"{name}: parsers.toml is about a parser that no header declares")
    return found


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    headers = sorted((here.parent.parent / "src").rglob("*.hpp"))
    parsers = {name for header in headers for name in parsers_of(header)}
    targets = "\n".join(source.read_text() for source in sorted(here.glob("*_fuzz.cpp")))
    wrong = problems(parsers, targets, tomllib.loads((here / "parsers.toml").read_text()))
    print("\n".join(wrong) or f"{len(parsers)} parsers are fed")
    sys.exit(1 if wrong else 0)
