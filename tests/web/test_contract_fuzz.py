"""The views keep what `/openapi.json` promises, for requests that nobody thought of."""

import re

from tests.web import contract


def test_every_answer_is_as_described_whatever_is_asked():
    with contract.served() as (url, views):
        contract.ask(url, 2, 120)
        views.check_memory()
        output, is_right = contract.ask(url, 15, 120)
        views.check_memory()

    assert is_right, output
    assert contract.requests_in(output) > 200
    assert re.search(r"[1-9]\d* passed", output)
