"""The dashboard's files, and paths where there are none."""

import pytest
from yarl import URL

from orderapp.metrics import HTTP_REQUESTS
from orderapp.web.page import files


@pytest.mark.parametrize(
    "path",
    [
        "/table/", "/router/", "/api", "/static", "/static/", "/static/none.js",
        "/static/vendor", "/static/vendor/", "/static/files.py", "/static/" + "a" * 3000,
        "/static/%3F", "/static/dashboard.js/",
    ],
)  # fmt: skip
async def test_what_is_not_there_is_404_and_counted_so(client, store, path):
    before = counted("404")
    answer = await client.get(URL(path, encoded=True))

    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
    assert (await answer.json())["title"] == "Not Found"
    assert counted("404") == before + 1


def counted(status):
    samples = [sample for family in HTTP_REQUESTS.collect() for sample in family.samples]
    totals = [s for s in samples if s.name.endswith("_total") and s.labels["status"] == status]
    return sum(sample.value for sample in totals)


@pytest.mark.parametrize("path", ["/", "/static/dashboard.js", "/static/vendor/uplot/LICENSE"])
async def test_a_file_is_sent_again_only_when_it_is_another_one(client, path):
    whole = {"Accept-Encoding": "identity"}
    odd = {"Range": "bytes=9999999-", "If-Match": '"x"'}
    first = await client.get(path, headers=whole | odd)
    body, etag = await first.read(), first.headers["ETag"]
    file = files.STATIC / (path.removeprefix("/static/").strip("/") or "index.html")
    assert (first.status, body) == (200, file.read_bytes())
    head = await client.head(path, headers=whole)
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(body)))
    assert (head.headers["ETag"], await head.read()) == (etag, b"")

    before = counted("304")
    for known in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(path, headers=whole | {"If-None-Match": known})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)
        assert again.headers["Cache-Control"] == "no-cache"
    assert counted("304") == before + 3
    for other in ('"other"', "nonsense", '"', ""):
        assert (await client.get(path, headers={"If-None-Match": other})).status == 200
