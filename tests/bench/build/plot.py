"""Results as a drawing (SVG): a bar a builder, on a logarithmic axis of seconds."""
import math
from xml.sax.saxutils import escape

from results import SCENARIOS, Results
from tables import seconds_text

SHOWN = ("cold", "cold-catalog", "known", "same", "small", "jupyter", "release", "pull", "import")
COLORS = {"torchkiln": "#c2410c", "docker": "#1d4ed8", "podman": "#7e22ce", "buildah": "#047857"}
LEFT, WIDTH, BAR, GAP, TOP = 330, 560, 16, 14, 46


def svg(results: Results) -> str:
    groups = [(scenario, results.rows(scenario)) for scenario in SHOWN if results.rows(scenario)]
    every = [row.median("seconds") for _, rows in groups for row in rows]
    if not every:
        return ""
    first, last = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    last = max(last, first + 1)
    x = lambda seconds: LEFT + WIDTH * (math.log10(seconds) - first) / (last - first)
    marks, y = [], TOP
    for scenario, rows in groups:
        marks.append(f'<text x="8" y="{y + 12}" class="title">{escape(SCENARIOS[scenario].replace("`", ""))}</text>')
        y += 18
        for row in sorted(rows, key=lambda one: one.median("seconds")):
            seconds = row.median("seconds")
            color = COLORS.get(row.builder.split(",")[0].split(":")[0], "#475569")
            marks.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(row.builder)}</text>')
            marks.append(f'<rect x="{LEFT}" y="{y}" width="{max(1.0, x(seconds) - LEFT):.1f}" height="{BAR - 3}" fill="{color}"/>')
            marks.append(f'<text x="{x(seconds) + 5:.1f}" y="{y + 11}">{seconds_text(seconds)} s</text>')
            y += BAR
        y += GAP
    axis = [f'<line x1="{x(10**power):.1f}" y1="{TOP - 12}" x2="{x(10**power):.1f}" y2="{y}" class="axis"/>'
            f'<text x="{x(10**power):.1f}" y="{TOP - 18}" text-anchor="middle">{10**power:g} s</text>' for power in range(first, last + 1)]  # fmt: skip
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 80} {y + 8}" font-family="sans-serif" font-size="12">',
        "<style>.title{font-weight:bold}.axis{stroke:#cbd5e1}</style>", '<rect width="100%" height="100%" fill="white"/>',
        *axis, *marks, "</svg>", ""])  # fmt: skip
