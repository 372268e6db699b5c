#!/usr/bin/env python3
"""`torchkiln matrix refresh` against the Python index that this machine is configured with: rows that were taken away come
back as they were, in few bytes, and nothing else changes. Needs the network; keeps nothing."""
import json
import re
import shutil
import time
import tomllib

import kiln

REMOVED = {"2.14.0", "2.14.1", "2.15.0"}
# Of the rows that come back, these keys are compared. Notes are written by hand.
COMPARED = ("variant", "architecture", "status", "cuda", "cudnn", "nccl", "python", "glibc", "sass", "ptx", "wheel_bytes",
            "requirements", "source", "grade")
TIME_LIMIT_S = 120
# download_bytes counts the newest Triton that a build accepts, of which there may be one more by now.
DOWNLOAD_TOLERANCE = 0.05


def load(folder):
    """Every row of the manifests: table → rows."""
    tables = {}
    for path in sorted(folder.glob("*.toml")):
        for table, rows in tomllib.loads(path.read_text()).items():
            if isinstance(rows, list):
                tables.setdefault(table, []).extend(rows)
    return tables


def default_builds(folder):
    """The measured builds of the default index: (release, machine) → the compared keys."""
    builds = {}
    for row in load(folder)["build"]:
        if row["index"] == "default":
            for release in row["pytorch"]:
                builds[release, row["architecture"]] = {key: row.get(key) for key in COMPARED}
    return builds


def downloads(folder):
    """What an installation downloads: (release, machine) → bytes."""
    return {(release, row["architecture"]): row["download_bytes"] for row in load(folder)["build"]
            if "download_bytes" in row for release in row["pytorch"]}


def without_blocks(text, wanted):
    """A manifest without the [[…]] blocks that `wanted` finds."""
    head, *blocks = re.split(r"(?m)^(?=\[\[)", text)
    return head + "".join(block for block in blocks if not wanted(block))


def take_away(folder):
    for minor in ("2.14", "2.15"):
        (folder / f"pytorch-{minor}.toml").unlink()
    companions = folder / "companions.toml"
    companions.write_text(without_blocks(
        companions.read_text(), lambda block: re.search(r'release = "0\.29\.', block)))
    metapackages = folder / "metapackages.toml"
    metapackages.write_text(without_blocks(
        metapackages.read_text(), lambda block: re.search(r'release = "13\.(0\.3|2\.2)"', block)))


def refresh(folder, *options):
    done = kiln.torchkiln("matrix", "refresh", "--json", "--manifests", folder, "--cache", kiln.folder("cache"), *options)
    return json.loads(done.stdout)


def main():
    folder = kiln.WORK / "manifests"
    kiln.remove(folder)
    shutil.copytree(kiln.SOURCE / "manifests", folder)
    take_away(folder)
    before = {path.name: path.read_text() for path in folder.glob("*.toml")}

    began = time.monotonic()
    looked = refresh(folder)
    seconds = time.monotonic() - began
    assert seconds < TIME_LIMIT_S, f"a refresh took {seconds:.0f} s"
    assert looked["written"] == []
    assert {path.name: path.read_text() for path in folder.glob("*.toml")} == before, "a look changed something"
    assert not [c for c in looked["changes"] if c["kind"] == "kept"], "upstream contradicts a measured row"

    written = refresh(folder, "--write")
    assert {"pytorch-2.14.toml", "pytorch-2.15.toml", "companions.toml", "metapackages.toml"} <= set(written["written"])
    ours, theirs = default_builds(kiln.SOURCE / "manifests"), default_builds(folder)
    for key, row in ours.items():
        assert key[0] not in REMOVED or theirs[key] == row, f"{key}:\n{theirs[key]}\nis not\n{row}"
    known, found = downloads(kiln.SOURCE / "manifests"), downloads(folder)
    for key, size in known.items():
        assert abs(found[key] - size) <= size * DOWNLOAD_TOLERANCE, f"{key}: {found[key]} bytes, {size} are known"
    releases = {row["pytorch"]: row["released"] for row in load(folder)["release"]}
    assert releases == {row["pytorch"]: row["released"] for row in load(kiln.SOURCE / "manifests")["release"]} | {
        release: day for release, day in releases.items() if release not in REMOVED}

    def companions(manifests):
        return {(row["package"], row["release"]): (row["pytorch"], row.get("torch"))
                for row in load(manifests)["companion"] if row["grade"] == "measured"}
    for key, row in companions(kiln.SOURCE / "manifests").items():
        assert companions(folder)[key] == row, f"{key}: {companions(folder)[key]} is not {row}"

    def extras(manifests):
        return {(row["release"], extra): text
                for row in load(manifests)["metapackage"] for extra, text in row["extras"].items()}
    assert extras(folder).items() <= extras(kiln.SOURCE / "manifests").items()

    # Files that nothing was added to are byte for byte what they were; the others only have lines more.
    for path in folder.glob("*.toml"):
        old = before.get(path.name, "").splitlines()
        new = iter(path.read_text().splitlines())
        if path.name not in written["written"]:
            assert path.read_text() == before[path.name], path.name
        elif not [c for c in written["changes"] if c["kind"] == "changed"]:
            assert all(line in new for line in old), f"{path.name} lost a line"

    kiln.torchkiln("matrix", "check", "--manifests", folder)
    again = refresh(folder, "--write")
    assert again["written"] == [] and not [c for c in again["changes"] if c["kind"] != "gone"], "twice is not once"
    print(f"{len(looked['changes'])} changes found in {seconds:.1f} s")


main()
