"""What the page tests share: a fake worker for each."""

from collections.abc import AsyncIterator

import pytest

from tests.web_page.fake import FakeWorker


@pytest.fixture
async def worker() -> AsyncIterator[FakeWorker]:
    """A worker with an empty store."""
    worker = FakeWorker()
    await worker.start()
    yield worker
    await worker.stop()
