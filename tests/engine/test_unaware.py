"""The engine knows nothing of what runs on it; no imports run in a circle."""

import re
from pathlib import Path

import grimp
import pytest

import orderapp

ENGINE = Path(orderapp.__file__).parent / "engine"
APPS_WORDS = re.compile(
    r"\borders\b|\border(_|'s)|\b(an|each|every|one|the) order\b(?! of)"
    r"|alert|fraud|payment|couchbase",
    re.IGNORECASE,
)


@pytest.mark.parametrize("word", ["orders", "an order", "order_id", "FraudAlert", "payments"])
def test_the_words_are_known(word):
    assert APPS_WORDS.search(f"# {word}: 7")


@pytest.mark.parametrize(
    "path", sorted(ENGINE.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINE))
)
def test_the_engine_names_nothing_of_the_apps(path):
    lines = enumerate(path.read_text().splitlines(), start=1)

    assert [f"{number}: {line}" for number, line in lines if APPS_WORDS.search(line)] == []


def test_no_imports_run_in_a_circle():
    """Those for types only count too. (`lint-imports` has the layers.)"""
    graph = grimp.build_graph("orderapp", exclude_type_checking_imports=False, cache_dir=None)
    left = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
    while free := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in free}

    # What is left is in a circle, or imports one.
    assert sorted(left) == []
