"""What the workers' logs say of what was deleted unread."""

from tests.chaos.archive import Taken
from tests.chaos.lost import Offset, offsets, reported

TOLD = (
    "[2026-11-28 23:54:26,723] [197] [ERROR] orders[3]: up to 3 records were deleted by "
    "retention (or by hand) before the group orderapp had read them: offsets 7 to 9, sent "
    "after 2026-11-28T23:54:20.123Z \n"
)


def test_each_offset_that_a_worker_tells_counts_once(tmp_path):
    (tmp_path / "worker-1.log").write_text(f"Worker ready\n{TOLD}")
    (tmp_path / "worker-2.log").write_text(TOLD.replace("to 9", "to 10"))
    (tmp_path / "other.log").write_text(TOLD.replace("orders", "payments"))

    assert reported(tmp_path) == {Offset("orders", 3, n) for n in (7, 8, 9, 10)}


def test_what_is_told_as_less_than_an_error_does_not_count(tmp_path):
    (tmp_path / "worker-1.log").write_text(TOLD.replace("ERROR", "INFO"))

    assert reported(tmp_path) == set()


def test_what_was_taken_twice_counts_once():
    taken = [Taken("orders", 0, 3, 7, 9), Taken("orders", 0, 3, 7, 11)]

    assert offsets(taken) == {Offset("orders", 3, n) for n in (7, 8, 9, 10)}
