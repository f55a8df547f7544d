"""The page's files, as they are."""

import re
from gzip import compress

from tests.web_page.fake import STATIC


def test_what_comes_from_others_has_its_licence_and_says_its_version() -> None:
    libraries = sorted((STATIC / "vendor").iterdir())
    assert [path.name for path in libraries] == ["uplot"]
    for library in libraries:
        assert "Permission is hereby granted" in (library / "LICENSE").read_text("utf-8")
    script = (STATIC / "vendor/uplot/uPlot.iife.min.js").read_text("utf-8")
    assert re.search(r"uPlot \(v\d+\.\d+\.\d+\)", script[:200])


def test_nothing_stands_inline_and_nothing_is_made_of_markup() -> None:
    page = index()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    scripts = sorted(STATIC.glob("*.js"))
    assert len(scripts) > 10
    for script in scripts:
        text = script.read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text
        )
        # Of the worker's own files alone.
        assert ("DOMParser" in text) == (script.name == "views.js")


def test_nothing_is_asked_for_by_a_path_from_the_root() -> None:
    """A proxy may serve the page under a path of its own."""
    for path in (*STATIC.glob("*.html"), *STATIC.glob("*.js"), *STATIC.glob("*.css")):
        assert not re.search(r"""["'`]/[\w$]|url\(/""", path.read_text("utf-8")), path.name


def test_the_first_view_weighs_little() -> None:
    """Compressed, as they are sent; what is loaded later is not among these files."""
    wanted = ["index.html", *re.findall(r'"static/([^"]+)"', index())]
    for name in wanted:
        if name.endswith(".js"):
            imported = re.findall(r'from "./([^"]+)"', (STATIC / name).read_text("utf-8"))
            wanted += [other for other in imported if other not in wanted]
    assert {"dashboard.js", "story.css", "stats.js"} <= {*wanted}
    assert not {"letters.js", "letters.css"} & {*wanted}
    sizes = {name: len(compress((STATIC / name).read_bytes())) for name in wanted}
    assert sum(sizes.values()) < 80_000, sizes


def index() -> str:
    return (STATIC / "index.html").read_text("utf-8")
