"""A fan as a picture: SVG, one panel a name, the past as a line, 50 % and 90 % bands, and medians of scenarios."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from ectype.clock import to_iso
from ectype.foresee.fan import Fan
from ectype.values.block import Float64s, Int64s

_COLOURS = ("#1f6feb", "#d9480f", "#2b8a3e", "#862e9c", "#c2255c")
_WIDTH, _HEIGHT, _LEFT, _TOP = 860, 220, 70, 34


def picture(names: Sequence[str], fans: Mapping[str, Fan], past: Mapping[str, tuple[Int64s, Float64s]]) -> str:
    """SVG text. fans: by what they are called, the first drawn at the back; past: name -> (at_ns, values) before."""
    height = len(names) * (_HEIGHT + _TOP) + 20
    body = "".join(_panel(i, name, fans, past.get(name)) for i, name in enumerate(names))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{body}</svg>\n'
    )


def _panel(i: int, name: str, fans: Mapping[str, Fan], past: tuple[Int64s, Float64s] | None) -> str:
    top = i * (_HEIGHT + _TOP) + _TOP
    some = next(iter(fans.values())).at_ns
    begin, end = int(some[0] if past is None or not len(past[0]) else past[0][0]), int(some[-1])
    bands = {label: fan.quantiles(name, (0.05, 0.25, 0.5, 0.75, 0.95)) for label, fan in fans.items()}
    lows = [b.min() for b in bands.values()] + ([past[1].min()] if past is not None and len(past[1]) else [])
    highs = [b.max() for b in bands.values()] + ([past[1].max()] if past is not None and len(past[1]) else [])
    low, high = float(min(lows)), float(max(highs))
    room = 0.05 * (high - low) or 0.5
    low, high = low - room, high + room

    def along(at_ns: Int64s, values: Float64s) -> str:
        x = _LEFT + (at_ns - begin) / max(end - begin, 1) * (_WIDTH - _LEFT - 20)
        y = top + (high - values) / (high - low) * (_HEIGHT - 30)
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    parts = [f'<text x="{_LEFT}" y="{top - 12}" font-weight="bold">{escape(name)}</text>']
    for value in np.linspace(low + room, high - room, 3):
        y = top + (high - value) / (high - low) * (_HEIGHT - 30)
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{value:.4g}</text>')
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eee"/>')
    for k, (label, band) in enumerate(bands.items()):
        colour, at_ns = _COLOURS[k % len(_COLOURS)], fans[label].at_ns
        for lower, upper, faint in ((0, 4, 0.15), (1, 3, 0.25)):
            there, back = along(at_ns, band[upper]), along(at_ns[::-1], band[lower][::-1])
            parts.append(f'<polygon points="{there} {back}" fill="{colour}" fill-opacity="{faint}"/>')
        parts.append(f'<polyline points="{along(at_ns, band[2])}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        x = _LEFT + 140 + 170 * k
        parts.append(f'<text x="{x}" y="{top - 12}" fill="{colour}">{escape(label)}</text>')
    if past is not None and len(past[0]):
        parts.append(f'<polyline points="{along(*past)}" fill="none" stroke="#333" stroke-width="1.2"/>')
    foot = top + _HEIGHT - 12
    parts.append(f'<text x="{_LEFT}" y="{foot}" fill="#555">{to_iso(begin)}</text>')
    parts.append(f'<text x="{_WIDTH - 20}" y="{foot}" text-anchor="end" fill="#555">{to_iso(end)}</text>')
    return "".join(parts)
