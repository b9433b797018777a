"""What the tests of pages take a reader to see."""

from __future__ import annotations

from page_checks import visible

PAGE = "<html><head>{head}</head><body><p>{text}</p></body></html>"


def test_scripts_and_styles_are_not_seen() -> None:
    head = '<script type="module">\nconst unresolved = "?@";\n</script>'
    head += '<style>a::after{content:"?@"}</style>'
    page = PAGE.format(head=f"{head}<SCRIPT>'?@'</SCRIPT><!-- ?@ -->", text="See Figure 1.")
    assert "?@" in page and "?@" not in visible(page) and "See Figure 1." in visible(page)


def test_a_reference_without_an_end_is_seen_between_scripts_too() -> None:
    page = PAGE.format(head="<script>1</script>", text="See ?@fig-answer.</p><script>2</script><p>")
    assert "?@fig-answer" in visible(page)
