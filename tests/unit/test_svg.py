"""Colours of the dark page, and what is kept of a picture when it is made small."""

from __future__ import annotations

import re

import pytest

from groupwise.figures.style import GRID, INK, MUTED, OKABE_ITO
from groupwise.svg import dark, themed

SVG = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
 <metadata><x>words</x></metadata>
 <defs>
  <style type="text/css">*{stroke-linejoin: round}</style>
 </defs>
 <g id="patch_1">
  <!-- a note -->
  <clipPath id="p1"><path d="M 0.123456 302.4
L 540 -0.001
z
" style="fill: #ffffff"/></clipPath>
  <path d="M 1 2" clip-path="url(#p1)" style="fill: #ffffff"/>
  <path id="m1" d="M 1 2" style="stroke: #1a1a1a; stroke-width: 1.240718" transform="scale(0.015625)"/>
  <use xlink:href="#m1" x="88.699588" y="3" transform="translate(38.90625 0)"/>
 </g>
</svg>
"""


def luminance(color: str) -> float:
    parts = [int(color[j : j + 2], 16) / 255 for j in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("text", [INK, MUTED])
def test_text_has_the_contrast_of_text_on_the_dark_page(text: str) -> None:
    assert contrast(dark(text), dark("#ffffff")) > 7


@pytest.mark.parametrize("color", OKABE_ITO)
def test_marks_have_the_contrast_of_marks_on_the_dark_page(color: str) -> None:
    assert contrast(dark(color), dark("#ffffff")) > 3


def test_greys_stay_grey_and_change_their_order() -> None:
    greys = [dark(color) for color in ("#000000", INK, MUTED, "#999999", GRID, "#ffffff")]
    assert greys[0] == "#ffffff"
    assert all(len({color[1:3], color[3:5], color[5:7]}) == 1 for color in greys)
    assert [luminance(c) for c in greys] == sorted((luminance(c) for c in greys), reverse=True)


@pytest.mark.parametrize("color", OKABE_ITO[:5])
def test_hue_is_kept(color: str) -> None:
    """The strongest and the weakest of red, green and blue are the same ones."""
    for pick in (max, min):
        parts = [[int(c[j : j + 2], 16) for j in (1, 3, 5)] for c in (color, dark(color))]
        strongest = [part.index(pick(part)) for part in parts]
        assert strongest[0] == strongest[1]


def test_styles_are_classes_with_a_colour_for_each_theme() -> None:
    svg = themed(SVG)
    assert 'style="' not in svg.replace("<style type", "") and "words" not in svg
    light, _, night = svg.partition("@media (prefers-color-scheme:dark)")
    assert ".c1{fill: #ffffff}" in light and f".c1{{fill: {dark('#ffffff')}}}" in night
    assert ".c2{stroke: #1a1a1a; stroke-width: 1.240718}" in light
    assert svg.count('class="c1"') == 2 and "a note" not in svg


def test_places_are_rounded_and_sizes_are_not() -> None:
    svg = themed(SVG)
    assert 'd="M0.12 302.4L540 0z"' in svg
    assert 'x="88.7"' in svg and "translate(38.91 0)" in svg and "scale(0.015625)" in svg


def test_names_lead_where_they_led() -> None:
    svg = themed(SVG)
    named = re.findall(r' id="([^"]+)"', svg)
    assert sorted(named) == sorted(set(re.findall(r'[("]#(\w+)[")]', svg))) and len(named) == 2
    assert re.search(r'<clipPath id="(\w+)">.*url\(#\1\)', svg, re.DOTALL)
    assert re.search(r'<path id="(\w+)".*<use xlink:href="#\1"', svg, re.DOTALL)
