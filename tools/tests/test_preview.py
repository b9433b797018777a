"""The preview renderer: one rich document rendered once, then small ones for each failure."""

import re
from pathlib import Path

import nbformat
import pytest

import preview
from preview import inline
from preview.document import fence_html_tables
from preview.metadata import page_metadata, scalar
from preview.notebook import joined
from preview.selfcontained import violations
from preview.source import read_qmd

FIXTURE = Path(__file__).parent / "fixtures" / "preview.qmd"
NBSP = "\u00a0"
PARAMETERS = {"dataset": "flipped_classroom", "level": "0.95"}
METADATA = {"subtitle": "From the caller"}


def render(qmd: Path, output: Path, **metadata: str) -> str:
    preview.render(qmd, output, parameters=PARAMETERS, metadata={**METADATA, **metadata})
    return output.read_text(encoding="utf-8")


def render_text(folder: Path, text: str) -> str:
    (folder / "page.qmd").write_text(text, encoding="utf-8")
    return render(folder / "page.qmd", folder / "page.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preview")


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return render(FIXTURE, folder / "nested" / "page.html")


@pytest.fixture(scope="module")
def text(html: str) -> str:
    """What a reader sees: no tags, entities as characters, one space between words."""
    body = re.sub(r"<[^>]+>", "", html[html.index("<main") :])
    return " ".join(body.replace("&lt;", "<").replace("&gt;", ">").split(" "))


def link(target: str, words: str) -> str:
    return f'<a href="#{target}" class="quarto-xref">{words}</a>'


# The page -------------------------------------------------------------------------------------


def test_says_on_its_face_that_it_is_a_preview(html: str) -> None:
    assert "because Quarto was not found" in html
    assert re.search(r'<meta name="generator" content="Groupwise preview \(Pandoc [\d.]+\)">', html)


@pytest.mark.parametrize(
    "part",
    [
        '<html lang="en">',
        '<meta name="viewport"',
        "<title>Which inference to trust</title>",
        '<h1 class="title">Which inference to trust</h1>',
        '<p class="subtitle">From the caller</p>',
        '<p class="author">Ada Example, Ben Example</p>',
        '<p class="date">2024-05-01</p>',
        '<nav id="TOC" aria-label="Table of contents">',
        '<main id="content">',
    ],
)
def test_title_block_and_landmarks(html: str, part: str) -> None:
    assert part in html


def test_contents_follow_toc_depth_and_unlisted(html: str) -> None:
    toc = html[html.index("<nav") : html.index("</nav>")]
    assert 'href="#sec-model"' in toc and 'href="#references"' in toc
    assert "Unlisted" not in toc and "First tab" not in toc


def test_is_self_contained_and_has_no_script(html: str) -> None:
    assert violations(html) == []
    assert "<script" not in html and "<link" not in html and "alert(" not in html
    assert '<p class="kept">kept</p>' in html
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html)


def test_bytes_do_not_depend_on_the_run(html: str, folder: Path) -> None:
    assert render(FIXTURE, folder / "again.html") == html
    assert sorted(path.name for path in folder.iterdir()) == ["again.html", "nested"]
    assert "preview-" not in html.replace("preview-note", "")


def test_identifiers_are_unique(html: str) -> None:
    identifiers = re.findall(r'\sid="([^"]+)"', html)
    assert sorted(identifiers) == sorted(set(identifiers))


# References -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("sec-setting", f"Section{NBSP}1"),
        ("sec-model", f"Section{NBSP}1.1"),
        ("sec-model", f"see{NBSP}1.1"),
        ("eq-model", f"Equation{NBSP}1"),
        ("eq-model", "1"),
        ("fig-plain", f"Figure{NBSP}1"),
        ("fig-plain", "1"),
        ("fig-panel-b", f"Panel{NBSP}2 (b)"),
        ("fig-cell", f"Figure{NBSP}4"),
        ("tbl-pipe", f"Table{NBSP}1"),
        ("tbl-html", f"Table{NBSP}3"),
        ("tbl-div", f"Table{NBSP}4"),
        ("tbl-cell", f"Table{NBSP}5"),
        ("nte-labelled", f"Note{NBSP}1"),
    ],
)
def test_reference_links_to_its_number(html: str, target: str, words: str) -> None:
    assert link(target, words) in html
    assert f'id="{target}"' in html


def test_several_references_in_one_are_separated_by_commas(html: str) -> None:
    pair = link("fig-plain", f"Figure{NBSP}1") + ", " + link("tbl-pipe", f"Table{NBSP}1")
    assert pair in html


def test_unresolved_reference_is_marked_and_warned_about(
    html: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "<strong>?@fig-missing</strong>" in html
    assert "<strong>?@tbl-none</strong>" in render_text(tmp_path, "See @tbl-none.\n")
    assert "unable to resolve the reference @tbl-none" in capsys.readouterr().err


def test_citations_are_left_to_citeproc(html: str, text: str) -> None:
    assert "Kenward and Roger (1997)" in text
    assert 'id="ref-kenward1997"' in html


def test_headings_are_numbered(html: str) -> None:
    assert '<span class="header-section-number">1.1</span> Model</h2>' in html
    assert re.search(r'<h1 class="unnumbered"[^>]*>References</h1>', html)


# Figures, tables, equations -------------------------------------------------------------------


def test_every_image_has_alt_text(html: str) -> None:
    images = re.findall(r"<img[^>]*>", html)
    assert len(images) == 5
    assert all(re.search(r'\salt="[^"]+"', image) for image in images)


@pytest.mark.parametrize(
    ("alt", "caption"),
    [
        ("Three intervals &quot;forest&quot;", f"Figure{NBSP}1: A figure with <em>markup</em>."),
        ("Left", "(a) Left"),
        ("No caption at all", f"Figure{NBSP}3"),
        ("It&#39;s a &quot;drawing&quot;", f"Figure{NBSP}4: A figure from a cell"),
    ],
)
def test_figure_has_its_caption_and_alt_text(html: str, alt: str, caption: str) -> None:
    assert re.search(
        f'alt="{re.escape(alt)}" />\n<figcaption>{re.escape(caption)}</figcaption>', html
    )


@pytest.mark.parametrize(
    ("number", "identifier", "caption"),
    [
        (2, "tbl-wide", "A wide table"),
        (3, "tbl-html", "An HTML table"),
        (4, "tbl-div", "A table in a div"),
        (5, "tbl-cell", "A table from a cell"),
    ],
)
def test_table_has_its_caption_on_top_and_scrolls_in_a_named_box(
    html: str, number: int, identifier: str, caption: str
) -> None:
    start = html.index(f'<figure class="table-figure" id="{identifier}">')
    table = html[start : html.index("</figure>", start)]
    label = f"Table{NBSP}{number}: {caption}"
    name = f"{identifier}-caption"
    assert table.index(f'<figcaption id="{name}">{label}</figcaption>') < table.index("<table")
    box = '<div class="table-scroll" role="region" tabindex="0"'
    assert f'{box} aria-labelledby="{name}">\n<table>' in table


def test_table_headers_have_a_scope(html: str) -> None:
    headers = re.findall(r"<th\b([^>]*)>([^<]*)", html)
    assert all('scope="' in attributes for attributes, words in headers if words.strip())
    assert '<th scope="row">No flip</th>' in html


def test_long_lines_in_a_pipe_table_do_not_fix_its_column_widths(html: str) -> None:
    assert "<colgroup" not in html and "long_column_name_11" in html


def test_equation_is_mathml_with_its_number(html: str) -> None:
    start = html.index('id="eq-model"')
    assert "<math " in html[start : start + 200]
    assert '<span class="equation-number">(1)</span>' in html


# Cells ----------------------------------------------------------------------------------------


def test_parameters_are_injected_with_their_types(text: str) -> None:
    assert "The parameter is flipped_classroom at 0.95, doubled 1.9" in text


def test_strings_are_escaped_and_markdown_objects_are_not(html: str) -> None:
    assert "a*b_[c] &lt;1&gt; and <strong>bold</strong>" in html


def test_code_that_is_only_quoted_is_not_run(text: str) -> None:
    assert "`{python} not_run_here`" in text
    assert "```{python}\nalso_not_run\n```" in text
    assert "Write {python} dataset to quote it" in text


def test_output_follows_the_options_of_the_cell(html: str, text: str) -> None:
    for hidden in ("never shown", "hidden warning", "color: red", "from IPython", "header = "):
        assert hidden not in html
    assert "<pre><code>plain &lt;output&gt;</code></pre>" in html
    assert 'print("plain' in text.replace("&quot;", '"')
    assert "not evaluated" in text


def test_cell_in_a_list_stays_in_it(html: str) -> None:
    items = html[html.index("<li><p>in a list") : html.index("Boxes</h1>")]
    assert items.index("indented") < items.index("</li>")


# Quarto's own syntax --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opening", "title", "body"),
    [
        ('<div id="nte-labelled" class="callout callout-note', f"Note{NBSP}1: A heading", "note"),
        ('<div class="callout callout-tip', "Tip", "tip"),
        ('<div class="callout callout-warning', "An <em>attribute</em> as title", "warning"),
        ('<details class="callout callout-important', "Folded", "folded one"),
        ('<details class="callout callout-caution', "Caution", "open one"),
    ],
)
def test_callout(html: str, opening: str, title: str, body: str) -> None:
    start = html.index(opening)
    box = html[start : start + 400]
    assert f'class="callout-title">{title}' in box
    assert f"<p>Body of the {body}.</p>" in box
    assert (" open>" in box.partition("\n")[0]) == ("caution" in opening)


def test_tabs_become_sections(html: str) -> None:
    assert html.index("First tab</h2>") < html.index("<p>One.</p>") < html.index("Second tab</h2>")


def test_conditional_content(text: str) -> None:
    assert "Only in HTML." in text
    assert "Not in HTML." not in text and "Hidden in HTML." not in text


def test_shortcodes(text: str) -> None:
    assert "pagebreak" not in text and "{{<" not in text
    assert "A ?unknown shortcode." in text


# Failures and the project file ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "A.\n\n```{python}\n#| label: broken\nx = 1\nraise ValueError('no\\nsuch arm')\n```\n",
            "page.qmd: the cell 'broken' failed at line 6: such arm",
        ),
        ("A `{python} 1 / 0`.\n", "`1 / 0` at line 1 failed: ZeroDivisionError"),
        ("![Plot](missing.png)\n", "'missing.png' could not be embedded"),
        ("![Plot](https://example.org/a.png)\n", "could not be embedded"),
        ("```{python}\nimport os; os._exit(1)\n```\n", "Python died"),
        ("---\nbibliography: https://example.org/a.bib\n---\n", "use a local file"),
        ("---\ntitle: [\n---\n", "not valid YAML"),
        ("```{python}\n1\n", "line 1 is never closed"),
    ],
)
def test_failure_is_one_sentence_and_leaves_no_page(
    tmp_path: Path, source: str, message: str
) -> None:
    with pytest.raises(preview.PreviewError, match=re.escape(message)) as caught:
        render_text(tmp_path, source)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["page.qmd"]


def test_project_file_is_read_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "_quarto.yml").write_text(
        "lang: de\nbibliography: all.bib\nformat:\n  html:\n    toc: true\n", encoding="utf-8"
    )
    (tmp_path / "sub").mkdir()
    page = page_metadata(
        tmp_path / "sub" / "page.qmd", {"lang": "en", "date": "today"}, {"toc": "false"}
    )
    assert page["lang"] == "en" and page["toc"] is False and "date" not in page
    assert page["bibliography"] == ["../all.bib"]


def test_environment_reaches_the_document(tmp_path: Path) -> None:
    qmd = tmp_path / "page.qmd"
    qmd.write_text("```{python}\nimport os\nprint(os.environ['ARM'])\n```\n", encoding="utf-8")
    preview.render(qmd, tmp_path / "a.html", parameters={}, metadata={}, env={"ARM": "Some flip"})
    html = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Some flip" in html
    # Without a title of its own the page is named after the file.
    assert "<title>page</title>" in html


# Small parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "markdown"),
    [
        ("1.5", "1.5"),
        ("-3", "-3"),
        ("'a_b'", r"a\_b"),
        ('"it\'s 1.5, so"', r"it's 1\.5\, so"),
        ("''", ""),
        ("[1, 'a_b']", "[1, 'a_b']"),
    ],
)
def test_inline_escape(plain: str, markdown: str) -> None:
    assert inline.escape(plain) == markdown


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0.95", 0.95),
        ("3", 3),
        ("true", True),
        ("null", None),
        ("No flip", "No flip"),
        ("NaN", "NaN"),
    ],
)
def test_command_line_values_are_typed(written: str, value: object) -> None:
    assert scalar(written) == value


def test_lines_of_cells_are_those_of_the_file() -> None:
    lines = FIXTURE.read_text(encoding="utf-8").splitlines()
    for chunk in read_qmd(FIXTURE)[1]:
        first = chunk.text.split("\n")[0]
        assert lines[chunk.line - 1] == chunk.indent + first


def test_html_tables_are_fenced_outside_code_only() -> None:
    table = "<table>\n<tr><td>1</td></tr>\n</table>"
    assert fence_html_tables(table) == f"```{{=html}}\n{table}\n```\n"
    assert fence_html_tables(f"```\n{table}\n```") == f"```\n{table}\n```"


@pytest.mark.parametrize(
    "html",
    [
        "<script>1</script>",
        '<img src="a.png">',
        '<link rel="stylesheet" href="a.css">',
        "<style>@import 'a.css'</style>",
        '<p style="background: url(//example.org/a)">',
        '<p onclick="1">',
    ],
)
def test_violations_are_found(html: str) -> None:
    assert violations(html)
    assert violations('<a href="https://example.org">x</a><img src="data:,">') == []


# Prints -----------------------------------------------------------------------------------------


def test_prints_that_come_late_are_one_output(tmp_path: Path) -> None:
    cell = "```{{python}}\nimport time\nprint('one')\ntime.sleep({})\nprint('two')\n```\n"
    pages = [render_text(tmp_path, cell.format(pause)) for pause in ("0.0", "0.7")]
    at_once, late = (page.replace("0.7", "0.0") for page in pages)
    assert late == at_once and "one\ntwo" in late


def test_only_adjacent_prints_of_one_stream_are_joined() -> None:
    def stream(name: str, text: str) -> nbformat.NotebookNode:
        return nbformat.v4.new_output("stream", name=name, text=text)

    shown = nbformat.v4.new_output("display_data", data={"text/plain": "a figure"})
    outputs = [stream("stdout", "a"), stream("stdout", "b"), stream("stderr", "c"), shown]
    found = joined([*outputs, stream("stdout", "d"), stream("stdout", "e")])
    assert [each.get("text") for each in found] == ["ab", "c", None, "de"]
