"""Imports go one way, the package touches nothing outside, and rules name the files they run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from configuration import modules
from package_files import PACKAGES, PackageDigest
from settings import METHODS_PACKAGE

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
MODULES = sorted((SCRIPTS / "groupwise").rglob("*.py"))
RULES = ROOT / "workflow" / "rules"

LAYERS = (
    {"algebra", "catalogue", "response"},
    {"tidy", "words", "svg", "data", "rows", "sequences"},
    {"design", "effect_words"},
    {"models"},
    {"compression", "intake", "results", "sample"},
    {"inference"},
    {"methods"},
    {"witness", "simulation"},
    {"diagnostics", "verdict", "planning", "figures", "report"},
    {"analysis"},
)
"""A module may import from earlier layers and from its own folder."""

LONGEST = 45
"""Lines of a function's body, its docstring apart."""

OUTSIDE = {
    "snakemake", "yaml", "pathlib", "os", "sys", "shutil", "subprocess", "tempfile", "glob", "socket",
    "urllib", "http", "requests", "configuration", "checksums", "package_files", "settings", "job",
    "raw_table", "rendering", "report_data", "preview", "archive", "figure_list",
}  # fmt: skip
FILES = {
    "open", "read_csv", "read_parquet", "read_excel", "to_csv", "to_parquet", "read_text",
    "write_text", "read_bytes", "write_bytes", "savefig", "loadtxt", "savetxt", "Path",
}  # fmt: skip

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=[str(path.relative_to(SCRIPTS / "groupwise")) for path in MODULES]
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(code: ast.AST) -> Iterator[str]:
    """Dotted names of all imports, also those inside functions; `from a import b` gives a and a.b."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(dotted: str) -> str | None:
    """`models` of groupwise.models.mixed; None outside the package and for the package itself."""
    names = dotted.split(".")
    return names[1] if names[0] == "groupwise" and len(names) > 1 else None


def layer(part: str) -> int:
    return next(i for i, parts in enumerate(LAYERS) if part in parts)


@each_module
def test_imports_go_one_way(path: Path) -> None:
    own = path.relative_to(SCRIPTS / "groupwise").parts[0].removesuffix(".py")
    used = {part for name in imports(tree(path)) if (part := part_of(name)) is not None}
    if own == "__init__":
        assert not used
        return
    upward = {part for part in used - {own} if layer(part) >= layer(own)}
    assert not upward, f"{own} imports {sorted(upward)}"


@each_module
def test_package_knows_no_workflow_and_no_files(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(tree(path))}
    assert not roots & OUTSIDE
    called = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called.add(getattr(node.func, "id", None) or getattr(node.func, "attr", None))
    assert not called & FILES
    assert "snakemake" not in {
        node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)
    }


@each_module
def test_functions_are_short(path: Path) -> None:
    long = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
            if lines > LONGEST:
                long[node.name] = lines
    assert not long


@each_module
def test_modules_and_public_functions_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(tree(path))
    public = [
        node.name
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    # One line that reads as its name needs no docstring; a whole module of others does.
    assert len(public) <= len(tree(path).body) / 2, public


def test_classes_differ_in_name() -> None:
    names = [n.name for path in MODULES for n in tree(path).body if isinstance(n, ast.ClassDef)]
    assert sorted(set(names)) == sorted(names)


def test_house_words_name_nothing() -> None:
    """What has a term in the field is called by it."""
    words = {"found", "own", "said", "known", "told"}
    named = {
        f"{path.name}: {name}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if (name := given_name(node)) in words
        or (isinstance(node, DEFINITIONS) and words & set(name.lower().split("_")))
    }
    assert not named


DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


def given_name(node: ast.AST) -> str:
    """The name of a variable, an argument, an attribute, a function or a class."""
    for kind, name in ((ast.Name, "id"), (ast.arg, "arg"), (ast.Attribute, "attr")):
        if isinstance(node, kind):
            return str(getattr(node, name))
    return node.name if isinstance(node, DEFINITIONS) else ""


# Rules name what they run of the package ----------------------------------------------------------


def rules() -> dict[str, str]:
    """The text of each rule."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.smk")))
    parts = re.split(r"^rule (\w+):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def script_of(rule: str) -> Path | None:
    found = re.search(r'script:\s*"\.\./scripts/([\w/]+\.py)"', rules()[rule])
    return SCRIPTS / found[1] if found else None


LOADED = {
    "METHOD_MODULES": [
        f"{METHODS_PACKAGE}.{path.stem}"
        for path in SCRIPTS.joinpath(*METHODS_PACKAGE.split(".")).glob("[!_]*.py")
    ],
    "FIGURE_MODULES": [
        f"groupwise.figures.{name}"
        for name in modules(SCRIPTS / "groupwise" / "figures", besides=["style"])
    ],
}
"""Modules that are loaded by name: see common.smk."""


def declared(rule: str) -> tuple[list[str], str]:
    """The arguments of `code=PackageDigest(...)` of a rule: script and modules, and the document."""
    call = re.search(r"^\s*code=(PackageDigest\(.*?\)),$", rules()[rule], re.MULTILINE | re.DOTALL)
    assert call is not None, f"rule {rule} declares no files of the package"
    parsed = ast.parse(call[1], mode="eval").body
    assert isinstance(parsed, ast.Call)
    modules = [
        module
        for each in parsed.args
        for module in eval(f"[{ast.unparse(each)}]", {"METHODS_PACKAGE": METHODS_PACKAGE} | LOADED)
    ]
    documents = [ast.literal_eval(each.value) for each in parsed.keywords]
    return modules, "".join(documents)


def file_of(dotted: str) -> Path | None:
    """The file of a module of ours, or None for others'."""
    stem = SCRIPTS.joinpath(*dotted.split("."))
    return next((p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.is_file()), None)


def reached(start: list[str]) -> set[Path]:
    """Every file of ours that is loaded when these modules are imported."""
    seen: set[Path] = set()
    names = list(start)
    while names:
        parts = names.pop().split(".")
        for k in range(len(parts)):
            path = file_of(".".join(parts[: k + 1]))
            if path is not None and path not in seen:
                seen.add(path)
                names += imports(tree(path))
    return seen


def chunk_imports(qmd: Path) -> list[str]:
    """What the Python cells of a document import."""
    text = qmd.read_text(encoding="utf-8")
    cells = re.findall(r"^```\{python\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [name for cell in cells for name in imports(ast.parse(cell))]


def folder_of(package: str) -> Path:
    return SCRIPTS.joinpath(*package.split("."))


def dynamic(rule: str) -> list[dict[str, str]]:
    """The wildcards by which a rule loads modules, or none."""
    for module in declared(rule)[0]:
        if found := re.fullmatch(r"([\w.]+)\.\{(\w+)\}", module):
            names = modules(folder_of(found[1]), besides=["style"])
            return [{found[2]: name} for name in names]
    return [{}]


CASES = [
    pytest.param(rule, wildcards, id="-".join([rule, *wildcards.values()]))
    for rule in rules()
    if script_of(rule) is not None
    for wildcards in dynamic(rule)
]


def test_every_rule_of_the_pipeline_was_found() -> None:
    assert {"simulate_data", "ingest_data", "fit_models", "draw_figures"} <= set(rules())
    assert len(CASES) > len(rules())


@pytest.mark.parametrize(("rule", "wildcards"), CASES)
def test_rule_has_the_digest_of_the_package_files_it_loads_and_of_no_others(
    rule: str, wildcards: dict[str, str]
) -> None:
    """What Snakemake is told, by reading lines, is what Python's own parser finds."""
    names, qmd = declared(rule)
    names = [name.format(**wildcards) for name in names]
    loaded = reached([*names, *(chunk_imports(ROOT / qmd) if qmd else [])])
    needed = {str(path.relative_to(ROOT)) for path in loaded if set(PACKAGES) & set(path.parts)}
    files = PackageDigest(*declared(rule)[0], qmd=qmd).files(wildcards)
    assert set(files) == needed and len(files) == len(needed) > 0


@pytest.mark.parametrize("rule", [rule for rule in rules() if script_of(rule) is not None])
def test_rule_and_script_share_their_name_and_the_rule_asks_for_its_imports(rule: str) -> None:
    script = script_of(rule)
    assert script is not None and script.is_file() and script.stem == rule
    assert declared(rule)[0][0] == rule
    documents = re.findall(r'qmd=(?:of_tool\()?"(reports/\w+\.qmd)"', rules()[rule])
    assert set(documents) <= {declared(rule)[1]}


@pytest.mark.parametrize("rule", [rule for rule in rules() if script_of(rule) is not None])
def test_snakemake_can_put_its_lines_before_a_script(rule: str) -> None:
    """Imports from the future would have to stand first."""
    script = script_of(rule)
    assert script is not None and "from __future__" not in script.read_text(encoding="utf-8")


WORDED = {
    *("judge_methods", "gather_study", "draw_figures", "draw_study", "write_exports"),
    "write_schema",
    *("render_report", "render_index", "render_study", "describe_file"),
}
"""Rules that write sentences; no other may load the words of methods or of the verdict."""


@pytest.mark.parametrize(
    "rule", [rule for rule in rules() if script_of(rule) is not None and rule not in WORDED]
)
def test_words_of_methods_and_of_the_verdict_are_not_loaded_by_what_computes(rule: str) -> None:
    loaded = reached(declared(rule)[0])
    worded = {path for path in loaded if {"verdict", "report", "figures"} & set(path.parts)}
    assert not worded | (loaded & {SCRIPTS / "groupwise" / "catalogue" / "methods.py"})
