"""README and docs as pages: short enough, linked to what exists, built without a warning."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.deploy.known import ROOT

SITE_PAGES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *SITE_PAGES]
SITE = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]


def prose(page: Path) -> str:
    """Without code, in which brackets and number signs are no links and headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    return re.sub(r"(`+).+?\1", lambda code: re.sub(r"[^\w]", " ", code[0]), text)


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def links(page: Path) -> list[tuple[str, str]]:
    """File and anchor of each link and picture that stays in the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [link.partition("#")[::2] for link in found if "://" not in link]


def pages_of(nav):
    """The files that a part of the navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages_of(part)]


def test_the_readme_is_read_in_a_few_minutes():
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 900


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for file, anchor in links(page):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), file
        # The site has the folder docs and nothing else.
        assert page.parent == ROOT or target.is_relative_to(ROOT / "docs"), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


def test_links_anchors_and_code_are_told_apart(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b_c`: d\n[x](y.md#z) ![p](q.png) [w](https://w)\n"
        "`[no](link)`\n```sh\n# no heading\n[no](link)\n```\n## 1. E\n"
    )

    assert links(page) == [("y.md", "z"), ("q.png", "")]
    assert anchors(page) == {"a-b_c-d", "1-e"}


@pytest.mark.parametrize("page", SITE_PAGES, ids=lambda page: page.name)
def test_what_belongs_to_an_item_of_a_list_is_indented_by_four_spaces(page):
    """GitHub takes two or three for a part of it; the site would begin a new list after it."""
    assert not re.findall(r"^ {1,3}(?:```|\|).*", page.read_text("utf-8"), re.M)


def test_every_page_is_in_the_navigation_once():
    named = pages_of(SITE["nav"])

    assert sorted(named) == sorted(page.name for page in SITE_PAGES)


def test_every_page_is_linked_from_the_readme_or_the_first_page():
    linked = {file for page in ("README.md", "docs/index.md") for file, _ in links(ROOT / page)}
    names = {Path(file).name for file in linked}

    assert set(pages_of(SITE["nav"])) <= names


@pytest.fixture
def tree(tmp_path):
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    return tmp_path


def build(tree):
    """As `make docs`, but strictly, and to files."""
    pytest.importorskip("zensical", reason="pip install -e '.[docs]'")
    command = [Path(sys.executable).with_name("zensical"), "build", "--strict"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_the_site_is_built_without_a_warning(tree):
    done = build(tree)

    assert done.returncode == 0, done.stdout + done.stderr
    for page in pages_of(SITE["nav"]):
        place = "index.html" if page == "index.md" else f"{page.removesuffix('.md')}/index.html"
        assert "<h1" in (tree / "site" / place).read_text("utf-8"), page


def test_a_broken_link_fails_the_build(tree):
    with (tree / "docs/topics.md").open("a") as page:
        page.write("\n[nowhere](settings.md#nowhere)\n")

    assert build(tree).returncode != 0
