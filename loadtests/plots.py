"""The page of a load test: promises, figures, and plots as SVG inside it; nothing is loaded from anywhere."""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from .book import Total
from .checks import Check
from .history import Moment

WIDTH, HEIGHT, MARGIN = 560, 200, 46
GRID_LINES: Final = 4
COLOURS: Final = ("#1f6f8b", "#c8553d")
STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .6em 0 } td, th { padding: .15em .8em; border-bottom: 1px solid #ddd }
td + td, th + th { text-align: right } th { text-align: left }
.kept { color: #2a7d2a } .broken { color: #b00020; font-weight: bold } svg { margin-right: 1em; font-size: 11px }
"""


class Curve(NamedTuple):
    """One line of a plot."""

    name: str
    values: Sequence[float]


class Section(NamedTuple):
    """One scenario on the page; `link` leads to locust's own report."""

    name: str
    says: str
    link: str
    checks: Sequence[Check]
    totals: Sequence[Total]
    moments: Sequence[Moment]
    notes: Sequence[str] = ()


def page(title: str, head: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in head)
    parts = "".join(map(_section, sections))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1>{lines}{parts}</html>\n"
    )


def _section(section: Section) -> str:
    seconds = [moment.second for moment in section.moments]
    rates = [Curve("requests/s", [moment.requests_per_second for moment in section.moments])]
    waits = [
        Curve("p50 ms", [moment.p50_ms for moment in section.moments]),
        Curve("p99 ms", [moment.p99_ms for moment in section.moments]),
    ]
    notes = "".join(f"<p>{escape(note)}</p>" for note in section.notes)
    return (
        f"<h2>{escape(section.name)}</h2><p>{escape(section.says)}</p>{_checks(section.checks)}{notes}"
        f"{plot('Requests a second', seconds, rates)}{plot('Waiting times, ms', seconds, waits)}"
        f'{_totals(section.totals)}<p><a href="{escape(section.link)}">locust’s own report</a></p>'
    )


def _checks(checks: Sequence[Check]) -> str:
    rows = "".join(
        f'<tr><td>{escape(one.what)}<td>{escape(one.found)}<td class="{"kept" if one.kept else "broken"}">'
        f"{'kept' if one.kept else 'BROKEN'}</tr>"
        for one in checks
    )
    return f"<table><tr><th>promise<th>found<th></tr>{rows}</table>"


def _totals(totals: Sequence[Total]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.name)}<td>{one.requests:,}<td>{one.failures:,}<td>{one.requests_per_second:,.0f}"
        f"<td>{one.p50_ms:g}<td>{one.p99_ms:g}</tr>"
        for one in totals
    )
    return f"<table><tr><th>request<th>requests<th>failures<th>a second<th>p50 ms<th>p99 ms</tr>{rows}</table>"


def plot(title: str, seconds: Sequence[float], curves: Sequence[Curve]) -> str:
    """Curves over the seconds of a run, from 0 up."""
    top = nice_top(max((value for curve in curves for value in curve.values), default=0))
    last = max(seconds, default=0) or 1
    grid = "".join(_grid_line(top * step / GRID_LINES, top) for step in range(GRID_LINES + 1))
    lines = "".join(_line(curve, seconds, last, top, colour) for curve, colour in zip(curves, COLOURS, strict=False))
    names = "".join(
        f'<text x="{MARGIN + 110 * number}" y="{HEIGHT - 4}" fill="{colour}">{escape(curve.name)}</text>'
        for number, (curve, colour) in enumerate(zip(curves, COLOURS, strict=False))
    )
    end = f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{last:.0f} s</text>'
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return (
        f'<svg {size} role="img" aria-label="{escape(title)}">'
        f'<text x="{MARGIN}" y="12" font-weight="bold">{escape(title)}</text>{grid}{lines}{names}{end}</svg>'
    )


def nice_top(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, … that is not below the value."""
    top = 1.0
    while True:
        for step in (1, 2, 5):
            if value <= top * step:
                return top * step
        top *= 10


def _y(value: float, top: float) -> float:
    return round(HEIGHT - 24 - value / top * (HEIGHT - 48), 1)


def _grid_line(value: float, top: float) -> str:
    y = _y(value, top)
    return (
        f'<line x1="{MARGIN}" x2="{WIDTH}" y1="{y}" y2="{y}" stroke="#ddd"/>'
        f'<text x="{MARGIN - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    )


def _line(curve: Curve, seconds: Sequence[float], last: float, top: float, colour: str) -> str:
    points = " ".join(
        f"{MARGIN + second / last * (WIDTH - MARGIN):.1f},{_y(value, top)}"
        for second, value in zip(seconds, curve.values, strict=True)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
