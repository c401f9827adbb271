"""Line charts as SVG, on a white card so that they can be read in a dark page as well."""

import math

WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 66, 24, 74, 52
# Told apart by people who don't see red and green as different; each also has its own mark.
COLOURS = ["#0072b2", "#d55e00", "#007a5a", "#8a3f8f", "#555555"]
INK, GRID = "#222", "#ddd"


def steps(top, count=5):
    """Round numbers from 0 to at least `top`."""
    raw = max(top, 1e-9) / count
    size = 10 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw)
    return [n * step for n in range(math.ceil(top / step - 1e-9) + 1)]


def decades(low, high):
    """Powers of ten around both."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**n for n in range(first, max(last, first + 1) + 1)]


def short(number):
    """An axis label: 250k, 1.5, 0.1."""
    return f"{number / 1000:g}k" if number >= 10_000 else f"{number:,g}"


def mark(kind, x, y, colour):
    """A point."""
    shapes = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"',
        f'<rect x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4"',
        f'<path d="M{x:.1f} {y - 4.2:.1f}l4.2 7.4h-8.4z"',
        f'<path d="M{x:.1f} {y - 4.6:.1f}l4.6 4.6l-4.6 4.6l-4.6 -4.6z"',
    ]
    return f'{shapes[kind % len(shapes)]} fill="{colour}"/>'


def plot(title, x_name, lines, log=False, ticks=None):
    """A chart of `lines`: (name, points in the order in which they are joined, dashed) in the order of the legend; names that come twice share colour and mark. `log`: the
    vertical axis is logarithmic; `ticks`: labels of the horizontal axis, else round numbers."""
    points = [point for _, found, _ in lines for point in found]
    if not points:
        return ""
    lowest, highest = min(y for _, y in points), max(y for _, y in points)
    ys = decades(max(lowest, 1e-3), highest) if log else steps(highest)
    xs = ticks or steps(max(x for x, _ in points))
    scale = (lambda v: math.log10(max(v, ys[0]))) if log else (lambda v: v)
    x = lambda v: LEFT + v / xs[-1] * (WIDTH - LEFT - RIGHT)
    y = lambda v: HEIGHT - BOTTOM - (scale(v) - scale(ys[0])) / (scale(ys[-1]) - scale(ys[0])) * (HEIGHT - TOP - BOTTOM)
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff"/>',
        f'<text x="16" y="26" font-size="15" font-weight="600">{title}</text>',
    ]
    for v in ys:
        svg.append(f'<path d="M{LEFT} {y(v):.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
        svg.append(f'<text x="{LEFT - 8}" y="{y(v) + 4:.1f}" text-anchor="end">{short(v)}</text>')
    taken = -100
    for v in xs:
        svg.append(f'<path d="M{x(v):.1f} {HEIGHT - BOTTOM}v4" stroke="{INK}"/>')
        if x(v) - taken >= 24:
            svg.append(f'<text x="{x(v):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{short(v)}</text>')
            taken = x(v)
    svg.append(f'<path d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}" stroke="{INK}"/>')
    svg.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">{x_name}</text>')
    names, legend = list(dict.fromkeys(name for name, _, _ in lines)), 16
    for index, name in enumerate(names):
        colour = COLOURS[index % len(COLOURS)]
        svg.append(mark(index, legend + 5, 46, colour))
        svg.append(f'<text x="{legend + 15}" y="50">{name}</text>')
        legend += 34 + 6.7 * len(name)
    for name, found, dashed in lines:
        index = names.index(name)
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in found)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        svg.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        svg += [mark(index, x(a), y(b), colour) for a, b in found]
    return "\n".join([*svg, "</svg>"]) + "\n"
