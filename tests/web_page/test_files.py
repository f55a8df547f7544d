"""The page's files, as they are."""

import re

from tests.web_page.fake import STATIC


def test_what_comes_from_others_has_its_licence_and_says_its_version() -> None:
    libraries = sorted((STATIC / "vendor").iterdir())
    assert [path.name for path in libraries] == ["uplot"]
    for library in libraries:
        assert "Permission is hereby granted" in (library / "LICENSE").read_text("utf-8")
    script = (STATIC / "vendor/uplot/uPlot.iife.min.js").read_text("utf-8")
    assert re.search(r"uPlot \(v\d+\.\d+\.\d+\)", script[:200])


def test_nothing_stands_inline_and_nothing_is_made_of_markup() -> None:
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    scripts = sorted(STATIC.glob("*.js"))
    assert len(scripts) > 10
    for script in scripts:
        text = script.read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text
        )


def test_nothing_is_asked_for_by_a_path_from_the_root() -> None:
    """A proxy may serve the page under a path of its own."""
    for path in (STATIC / "index.html", *STATIC.glob("*.js"), *STATIC.glob("*.css")):
        assert not re.search(r"""["'`]/(?!/)|url\(/""", path.read_text("utf-8")), path.name
