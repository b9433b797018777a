"""An SVG by Matplotlib made small, and drawn for a light and for a dark page in one file."""

from __future__ import annotations

import re
from functools import cache
from itertools import count

import numpy as np

COLOR = re.compile(r"#[0-9a-f]{6}\b")
STYLE = re.compile(r' style="([^"]*)"')
ID = re.compile(r' id="([^"]*)"')
NUMBER = re.compile(r"-?\d+\.\d{3,}")
PLACED = re.compile(r'(?<= )(?:d|x|y|x1|x2|y1|y2)="[^"]*"|translate\([^)]*\)')

# Linear sRGB to the cone responses of Oklab, and these (their cube roots) to lightness and hue
# (Ottosson 2020, https://bottosson.github.io/posts/oklab/).
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
DARKEST = 0.21
"""Lightness of the dark page, where the light one is white."""


@cache
def dark(color: str) -> str:
    """The colour that stands for `color` (as #rrggbb) on a dark page.

    Its hue is the same and its lightness is turned over: ink is light, white is the page, and what
    is darker than its surroundings becomes lighter than them.
    """
    srgb = np.array([int(color[j : j + 2], 16) for j in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lightness, *hue = TO_OKLAB @ np.cbrt(TO_CONES @ linear)
    inverted = 1 - (1 - DARKEST) * lightness**2
    # What the screen cannot show becomes less colourful, not another colour.
    candidates = (_srgb(inverted, chroma * np.array(hue)) for chroma in np.linspace(1, 0, 41))
    in_gamut = next(rgb for rgb in candidates if np.all((rgb > -0.003) & (rgb < 1.003)))
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in np.clip(in_gamut, 0, 1))


def _srgb(lightness: float, hue: np.ndarray) -> np.ndarray:
    cones = np.linalg.solve(TO_OKLAB, np.array([lightness, *hue])) ** 3
    linear = np.linalg.solve(TO_CONES, cones)
    curved = 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curved)


def themed(svg: str) -> str:
    """The SVG with its styles as classes, which have other colours where the page is dark.

    A browser draws an embedded image by the `color-scheme` of the element it stands in; what knows
    no media queries draws the light one.
    """
    names: dict[str, str] = {}
    number = count(1)

    def name(match: re.Match[str]) -> str:
        style = match[1]
        if style not in names:
            names[style] = f"c{next(number)}"
        return f' class="{names[style]}"'

    body = STYLE.sub(name, _compact(svg))
    light = "".join(f".{name}{{{style}}}" for style, name in names.items())
    night = "".join(
        f".{name}{{{COLOR.sub(lambda color: dark(color[0]), style)}}}"
        for style, name in names.items()
        if COLOR.search(style)
    )
    # Elements without a colour are black. Layers that are images are inverted as a whole.
    default = f"svg{{fill:{dark('#000000')}}}image{{filter:invert(1) hue-rotate(180deg)}}"
    media = f"@media (prefers-color-scheme:dark){{{default}{night}}}"
    return body.replace("</style>", f"{light}{media}</style>", 1)


def _compact(svg: str) -> str:
    """The SVG without metadata, comments and indentation, with short ids and two decimals."""
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = PLACED.sub(lambda place: _short_place(place[0]), svg)
    names = {name: f"i{j}" for j, name in enumerate(dict.fromkeys(re.findall(r"#([\w-]+)", svg)))}
    svg = ID.sub(lambda match: f' id="{names[match[1]]}"' if match[1] in names else "", svg)
    svg = re.sub(r'(?<=["(]#)[\w-]+(?=[")])', lambda match: names[match[0]], svg)
    return re.sub(r"\n\s*", "\n", svg)


def _short_place(place: str) -> str:
    place = NUMBER.sub(_rounded, " ".join(place.split()))
    return re.sub(r" ?([MLQCZz]) ?", r"\1", place)


def _rounded(number: re.Match[str]) -> str:
    return f"{round(float(number[0]), 2) + 0:.2f}".rstrip("0").rstrip(".")
