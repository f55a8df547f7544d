"""The crew starts workers again, and says which ended for no fault's reason."""

import asyncio

from tests.chaos.crew import Crew
from tests.chaos.diary import Diary
from tests.e2e.worker import eventually


async def test_a_worker_that_ends_by_itself_is_a_problem_of_the_run(tmp_path):
    diary = Diary(quiet=True)
    crew = Crew(tmp_path / "data", diary)
    slot = crew.add({"ORDERAPP_SERVICES": "nothing"})
    looking = asyncio.create_task(crew.look_after())
    try:
        await asyncio.to_thread(eventually, lambda: diary.problems, "it is a problem")
    finally:
        looking.cancel()
        slot.kill()

    assert diary.problems[0].startswith("worker 1 ended with status ")
    assert "ORDERAPP_SERVICES" in diary.problems[0]
