#!/usr/bin/env python3
"""From wheels on disk to pushed and pulled images: torchkiln beside docker, buildah and podman, on one machine, from the
same wheels, to registries on loopback.

    build_bench.py --torchkiln PROGRAM --rates PROGRAM --work FOLDER [--out FOLDER]      the whole, on real PyTorch: hours
    build_bench.py --small ...                             with stand-ins: whether this works, and nothing about speed

Writes results.json after each run, and at the end results.md and results.svg. A benchmark that was cut off goes on with
the same command. The engines' long runs can be fewer (--engine-runs), and every table says how many runs a number has.
"""
import argparse
import contextlib
import datetime
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
ENGINES = ("docker", "buildah", "podman")
BUILDERS = ("torchkiln", "family", *ENGINES, "split")  # family: many images by torchkiln; split: docker, in two steps
ENGINE_SCENARIOS = ("cold", "same", "small", "jupyter", "release", "pull")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torchkiln", type=pathlib.Path, required=True, help="the program, an optimised build")
    parser.add_argument("--rates", type=pathlib.Path, required=True, help="the program bench_rates of the same build")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="a folder for 40 GB of passing files; wheels stay in it")
    parser.add_argument("--out", type=pathlib.Path, help="where results go (default: WORK/results)")
    parser.add_argument("--runs", type=int, default=3, help="of what takes torchkiln's time")
    parser.add_argument("--engine-runs", type=int, help="of what takes an engine's (default: RUNS)")
    parser.add_argument("--builders", default=",".join(BUILDERS), help="some of these (default: %(default)s)")
    parser.add_argument("--scenarios", default=",".join(ENGINE_SCENARIOS), help="of the engines, some of these (default: %(default)s)")
    parser.add_argument("--lock", type=pathlib.Path, help="a file that others who need a quiet machine lock, too")
    parser.add_argument("--docs", type=pathlib.Path, help="a Markdown file whose <!-- results --> are replaced, too")
    parser.add_argument("--small", action="store_true", help="stand-ins instead of PyTorch, everything once")
    options = parser.parse_args()
    for name in ("torchkiln", "rates", "work"):
        setattr(options, name, getattr(options, name).resolve())
    options.out = (options.out or options.work / "results").resolve()
    options.runs = 1 if options.small else options.runs
    options.engine_runs = 1 if options.small else options.engine_runs or options.runs
    options.builders = options.builders.split(",")
    # Jupyter has real wheels and Debian packages: much for a test of the benchmark.
    options.scenarios = ["cold", "small", "pull"] if options.small else options.scenarios.split(",")
    return options


OPTIONS = arguments()
os.environ |= {"TORCHKILN": str(OPTIONS.torchkiln), "KILN_SOURCE": str(SOURCE), "KILN_WORK": str(OPTIONS.work / "passing"),
               "KILN_CACHE": str(OPTIONS.work / "cache"), "TORCHKILN_UV": str(SOURCE / ".tools/bin/uv")}  # fmt: skip
sys.path[:0] = [str(HERE / "build"), str(SOURCE / "tests/e2e")]
import kiln  # noqa: E402
import limits  # noqa: E402
import plot  # noqa: E402
import projects  # noqa: E402
import small_index  # noqa: E402
import tables  # noqa: E402
from builders import Engine, Torchkiln  # noqa: E402
from measuring import Meter  # noqa: E402
from results import Results  # noqa: E402
from scenarios import Bench  # noqa: E402


def first_line(*command) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def describe(results: Results, first: projects.Project) -> None:
    processors = os.cpu_count()
    model = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    results.tell(
        date=datetime.date.today().isoformat(), small=OPTIONS.small,
        machine=f"{processors} processors ({model}), {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') >> 30} GiB, Linux {platform.release().split('-')[0]}",
        versions=[first_line(str(OPTIONS.torchkiln), "--version"), first_line("/usr/bin/docker", "--version").partition(",")[0] + " with BuildKit",
                  first_line("buildah", "--version").partition("(")[0].strip(), first_line("podman", "--version"), first_line(str(kiln.uv()), "--version")],
        wheel_bytes=first.wheel_bytes, wheel_unpacked_bytes=first.unpacked_bytes)  # fmt: skip


def measure(bench: Bench, results: Results) -> None:
    """Ours and theirs in turn, so that a slow hour hits both. What has enough runs already is left out."""
    engine = lambda name, **how: Engine(name, bench.projects, bench.meter, bench.work, **how)
    lacks = lambda run, name, scenarios: any(results.count(scenario, name) <= run for scenario in scenarios)
    for run in range(max(OPTIONS.runs, OPTIONS.engine_runs)):
        if run < OPTIONS.runs and "torchkiln" in OPTIONS.builders:
            if lacks(run, bench.ours.name, ["layout-catalog"]):
                # The limit counts by what the machine does in the same minute: its speed is not the same all day.
                wheels = [bench.projects.wheels / wheel.file for wheel in bench.projects.first.wheels]
                with bench.meter.alone():
                    rates = limits.measure_rates(OPTIONS.rates, wheels, bench.work)
                results.tell(rates=[*results.facts.get("rates", []), vars(rates)])
                bench.layouts()
            if lacks(run, bench.ours.name, ["cold-catalog"]):
                is_pulled = "pull" in OPTIONS.scenarios and run < OPTIONS.engine_runs
                bench.chain(engine("docker") if is_pulled else None)
        if run < OPTIONS.runs and "family" in OPTIONS.builders:
            for count in (1, 4) if OPTIONS.small else (1, 4, 16):
                if lacks(run, bench.ours.name, [f"family-{count}"]):
                    bench.family(count)
        if run >= OPTIONS.engine_runs:
            continue
        for name in ENGINES:
            wanted = [one for one in OPTIONS.scenarios if one != "pull" or name == "docker"]
            if name in OPTIONS.builders and lacks(run, name, [one for one in wanted if one != "pull"]):
                bench.engine_chain(engine(name), wanted)
        if "split" in OPTIONS.builders and not OPTIONS.small:
            split = engine("docker", split=True)
            if lacks(run, split.name, ["small"]):
                bench.engine_chain(split, ["cold", "small"])


def expect_numbers(results: Results) -> None:
    """That the benchmark measures: what each scenario must have cost, whoever does it and however fast."""
    for scenario in ("layout", "layout-catalog", "cold", "cold-catalog", "known", "same", "small", "release", "pull", "import"):
        rows = results.rows(scenario)
        assert rows, f"nothing was measured of {scenario}"
        for row in rows:
            assert 0 < row.median("seconds") < 600 and row.median("cpu_s") > 0, row
    for scenario, builders in (("cold", ("torchkiln", *ENGINES)), ("small", ("torchkiln", *ENGINES)), ("release", ("torchkiln",))):
        for builder in builders:
            row = results.row(scenario, builder)
            assert row and row.median("bytes_pushed") > 0 and row.median("bytes_written") > 0, (scenario, builder, row)
    # What a registry has already is not sent again.
    assert results.row("known", "torchkiln").median("bytes_pushed") < 10_000
    assert results.row("same", "torchkiln").median("bytes_pushed") == 0
    assert results.row("family-4", "torchkiln").median("bytes_pushed") < 2 * results.row("family-1", "torchkiln").median("bytes_pushed")


def write_results(results: Results) -> None:
    (OPTIONS.out / "results.md").write_text(tables.markdown(results))
    (OPTIONS.out / "results.svg").write_text(plot.svg(results))
    print(f"results: {OPTIONS.out}/results.md")
    if OPTIONS.docs:
        text = OPTIONS.docs.read_text()
        before, mark, rest = text.partition("<!-- results -->\n")
        after = rest[rest.index("<!-- end of results -->"):]
        OPTIONS.docs.write_text(before + mark + "\n" + tables.markdown(results) + "\n" + after)


def main() -> int:
    kiln.remove(kiln.WORK)  # of one that was cut off
    kiln.WORK.mkdir(parents=True)
    if OPTIONS.small:
        (OPTIONS.out / "results.json").unlink(missing_ok=True)
    results = Results(OPTIONS.out / "results.json")
    with contextlib.ExitStack() as stack:
        index = None
        if OPTIONS.small:
            index = stack.enter_context(small_index.Index(kiln.folder("index")))
            projects.publish_stand_ins(index)
        kept = kiln.WORK if OPTIONS.small else OPTIONS.work  # a stand-in's address is another each time
        made = projects.Projects(OPTIONS.torchkiln, kept / "projects", kept / "wheels", kiln.CACHE, index, with_jupyter="jupyter" in OPTIONS.scenarios)
        meter = Meter(OPTIONS.lock)
        describe(results, made.first)
        ours = Torchkiln(OPTIONS.torchkiln, made, meter, kiln.WORK)
        with meter.alone():
            ours.prepare()
        measure(Bench(meter, results, ours, kiln.WORK), results)
    kiln.remove(kiln.WORK)
    if OPTIONS.small:
        expect_numbers(results)
    write_results(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
