"""Results as Markdown: a table a question, the targets, and how quiet the machine was."""
from limits import catalog_limit_s, cold_limit_s, median_rates
from results import SCENARIOS, Results, Row

OURS, PEER = "torchkiln", "docker"

SECTIONS = (
    ("From wheels on disk to an image", ("layout", "layout-catalog", "cold", "cold-catalog", "known")),
    ("What a change costs", ("same", "small", "jupyter", "release")),
    ("Pulling, and the first import", ("pull", "import")),
    ("How it grows", ("family-1", "family-4", "family-16")),
)


def bytes_text(count: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.2f} {unit}" if factor == 1e9 else f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"


def seconds_text(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.1f}" if seconds >= 10 else f"{seconds:.2f}"


def markdown(results: Results) -> str:
    facts = results.facts
    parts = [f"Measured {facts['date']} on {facts['machine']}; {', '.join(facts['versions'])}.\n"]
    if facts.get("small"):
        parts.append("**Stand-in wheels of a few kilobytes: this shows that the benchmark works, and nothing about speed.**\n")
    for title, scenarios in SECTIONS:
        table = section(results, scenarios)
        if table:
            parts.append(f"### {title}\n\n{table}")
    parts.append(f"### Sizes\n\n{sizes(results)}")
    if not facts.get("small"):
        parts.append(f"### Limits and targets\n\n{targets(results)}")
    parts.append(quietness(results))
    return "\n".join(parts)


def section(results: Results, scenarios: tuple[str, ...]) -> str:
    lines = []
    for scenario in scenarios:
        ours = results.row(scenario, OURS)
        for row in results.rows(scenario):
            lines.append(line(row, ours))
    if not lines:
        return ""
    head = "| what happens | by | seconds (median) | fastest–slowest | runs | times ours | CPU s | peak memory | written | pushed |\n"
    return head + "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n" + "".join(lines)


def line(row: Row, ours: Row | None) -> str:
    seconds = row.median("seconds")
    low, high = row.spread()
    times = f"{seconds / ours.median('seconds'):.1f} ×" if ours and row.builder != OURS else ""
    cells = [SCENARIOS[row.scenario], row.builder, seconds_text(seconds), f"{seconds_text(low)}–{seconds_text(high)}", str(len(row.runs)), times,
             seconds_text(row.median("cpu_s")), bytes_text(row.median("peak_bytes")), bytes_text(row.median("bytes_written")),
             bytes_text(row.median("bytes_pushed")) if row.scenario not in ("layout", "layout-catalog", "pull", "import") else ""]  # fmt: skip
    return "| " + " | ".join(cells) + " |\n"


def sizes(results: Results) -> str:
    facts = results.facts
    lines = [f"| the wheels | {bytes_text(facts['wheel_bytes'])} | {bytes_text(facts['wheel_unpacked_bytes'])} |\n"]
    for key, name in (("our_image", "our image"), ("engine_image", "the image of `docker build`")):
        if image := facts.get(key):
            unpacked = image.get("unpacked_size")
            lines.append(f"| {name} | {bytes_text(image['size'])} | {bytes_text(unpacked) if unpacked else ''} |\n")
    return "| | on the wire | unpacked |\n|---|--:|--:|\n" + "".join(lines)


def targets(results: Results) -> str:
    facts = results.facts
    rates = median_rates(facts["rates"])
    layer_bytes = facts.get("our_image", {}).get("wheel_layer_bytes", facts["wheel_bytes"])
    cold = cold_limit_s(rates, facts["wheel_bytes"], facts["wheel_unpacked_bytes"], layer_bytes)
    known = catalog_limit_s(rates, layer_bytes)
    lines = [f"This machine, one processor of {rates.processors} while all are busy: SHA-256 {rates.sha256 / 1e6:.0f} MB/s, inflate "
             f"{rates.inflate / 1e6:.0f} MB/s. So nobody makes the layers in less than {cold:.1f} s, and in less than {known:.1f} s where the "
             f"catalog knows them. Its disk takes {layer_bytes / rates.disk:.1f} s for them when it is flushed ({rates.disk / 1e6:.0f} MB/s), "
             f"most of it after a build has ended.\n\n| target | measured | |\n|---|--:|---|\n"]  # fmt: skip

    def add(text: str, value: float | None, is_met, unit: str) -> None:
        if value is not None:
            lines.append(f"| {text} | {value:.2f}{unit} | {'met' if is_met(value) else '**missed**'} |\n")

    def seconds(scenario: str, builder: str) -> float | None:
        row = results.row(scenario, builder)
        return row.median("seconds") if row else None

    def times(scenario: str, peers: str = "") -> float | None:
        ours, peer = seconds(scenario, OURS), seconds(peers or scenario, PEER)
        return peer / ours if ours and peer else None

    layout = seconds("layout", OURS)
    add("wheels → layout: at most 1.5 × the limit", layout / cold if layout else None, lambda value: value <= 1.5, " ×")
    add("with a full catalog: under 6 s", seconds("layout-catalog", OURS), lambda value: value < 6, " s")
    add("where the registry has the blobs: under 1 s", seconds("known", OURS), lambda value: value < 1, " s")
    add("wheels → pushed: 20 × faster than docker build and push", times("cold"), lambda value: value >= 20, " ×")
    add("the same, with the catalog that comes with torchkiln", times("cold-catalog", "cold"), lambda value: value >= 20, " ×")
    add("one small package changed: 50 × faster", times("small"), lambda value: value >= 50, " ×")
    more = 100 * (layer_bytes / facts["wheel_bytes"] - 1)
    add("bytes on the wire: at most 1 % more than the wheels", more, lambda value: value <= 1, " %")
    return "".join(lines)


def quietness(results: Results) -> str:
    shares = [run.others_cpu_s / run.seconds for scenario in SCENARIOS for row in results.rows(scenario) for run in row.runs
              if run.seconds >= 1]  # fmt: skip
    if not shares:
        return ""
    return (f"Everything else on the machine, the registry included, used {100 * sorted(shares)[len(shares) // 2]:.0f} % of one processor in "
            f"the median run of a second or more, at most {100 * max(shares):.0f} %.\n")  # fmt: skip
