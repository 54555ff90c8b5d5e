import pytest

from andon.errors import FatalError, PoisonError
from workers.quarantine import QuarantineLimit

ERROR = PoisonError("undecodable", "a damaged JPEG")


def test_one_record_past_the_limit_stops_the_worker_and_names_the_reasons() -> None:
    limit = QuarantineLimit(3, 60.0)
    limit.admit(PoisonError("detector_error", "out of memory"), 0.0)
    for second in (1.0, 2.0):
        limit.admit(ERROR, second)
    with pytest.raises(FatalError, match=r"4 records .*\(undecodable 3, detector_error 1; last: a damaged JPEG"):
        limit.admit(ERROR, 3.0)


def test_records_that_have_left_the_window_do_not_count() -> None:
    limit = QuarantineLimit(2, 60.0)
    for second in (0.0, 1.0, 60.5, 61.5, 121.0, 122.0):
        limit.admit(ERROR, second)
