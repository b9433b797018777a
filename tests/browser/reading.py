"""How a page reads: to assistive technology, by keyboard, on paper, in a theme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devtools import Page

ROOT = Path(__file__).parents[2]
THEMES = ("light", "dark")
# `npm install --no-save axe-core` at the root of the repository brings it; see .ci/run.
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
AXE_VERSION = "4"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]

RUN_AXE = (
    f"axe.run(document, {{runOnly: {RULES!r}, resultTypes: ['violations']}}).then((result) => "
    """
    result.violations.map(({id, nodes}) => `${id}: ${nodes.length} x ${nodes[0].html.slice(0, 160)} `
        + nodes[0].failureSummary.replace(/\\s+/g, ' ').slice(0, 240)))"""
)

FOCUS_ORDER = """
[...document.querySelectorAll("a[href], button, summary, [tabindex='0'], input, select")]
    .filter((node) => node.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true}))
    .map((node) => node.outerHTML.slice(0, 120))"""

# What the paper cuts off or hides, at the width of a page of A4 with its margins.
PAPER_WIDTH = 642
ON_PAPER = """
(() => {
    const width = document.documentElement.clientWidth;
    const shown = (node) => node.textContent.trim().replace(/\\s+/g, " ").slice(0, 60);
    const found = [];
    for (const table of document.querySelectorAll("table")) {
        const box = table.closest(".table-scroll");
        if (getComputedStyle(box).overflowX !== "visible") found.push(`scrolls: ${shown(table)}`);
        if (table.getBoundingClientRect().right > width + 1) found.push(`cut off: ${shown(table)}`);
    }
    for (const node of document.querySelectorAll("main details > :not(summary)"))
        if (!node.checkVisibility()) found.push(`folded: ${shown(node)}`);
    // Chromium repeats a table's head on every page unless it holds a control.
    for (const node of document.querySelectorAll("thead button"))
        if (getComputedStyle(node).display !== "contents") found.push(`a control: ${shown(node)}`);
    for (const node of document.querySelectorAll("button.copy, .theme-switch"))
        if (node.checkVisibility()) found.push(`a button: ${shown(node)}`);
    return found;
})()"""

BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def axe_problems(tab: Page) -> list[str]:
    """Violations of WCAG 2.1 A and AA, and of axe-core's best practices."""
    tab.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    problems: list[str] = tab.evaluate(RUN_AXE)
    return problems


def print_problems(tab: Page) -> list[str]:
    """What would be missing on paper."""
    tab.resize(PAPER_WIDTH)
    tab.send("Emulation.setEmulatedMedia", media="print")
    try:
        problems: list[str] = tab.evaluate(ON_PAPER)
        return problems
    finally:
        tab.send("Emulation.setEmulatedMedia", media="")


def press(tab: Page, key: str, code: int) -> None:
    """One key, down and up."""
    parts: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code}
    if key == "Enter":
        parts["text"] = "\r"
    tab.send("Input.dispatchKeyEvent", type="keyDown", **parts)
    tab.send("Input.dispatchKeyEvent", type="keyUp", **parts)
