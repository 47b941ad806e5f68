"""Datapoints on disk."""

from __future__ import annotations

import itertools

from sm_remote.service.metrics.series import Datapoint, SeriesWriter, read_series

SIZE = 18


def write(path, points, **options):
    writer = SeriesWriter(path, **{"from_start": False, **options})
    for point in points:
        writer.append([point])
    writer.close()


def test_what_is_appended_is_read_in_order(tmp_path):
    path = tmp_path / "job" / "a.points"
    points = [Datapoint(number % 3, 1000 * number, number / 7) for number in range(20)]
    write(path, points[:10])
    write(path, points[10:])
    assert list(read_series(path)) == points
    assert list(read_series(path, start_ms=3000, end_ms=5000)) == points[3:5]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_series_that_comes_again_replaces_what_there_was(tmp_path):
    path = tmp_path / "a.points"
    write(path, [Datapoint(0, 1, 1.0)])
    write(path, [Datapoint(0, 2, 2.0)], from_start=True)
    assert list(read_series(path)) == [Datapoint(0, 2, 2.0)]


def test_a_record_that_a_crash_left_unfinished_is_dropped(tmp_path):
    path = tmp_path / "a.points"
    write(path, [Datapoint(0, 1, 1.0)])
    with path.open("ab") as file:
        file.write(b"\0" * 7)
    assert list(read_series(path)) == [Datapoint(0, 1, 1.0)]
    write(path, [Datapoint(0, 2, 2.0)])
    assert list(read_series(path)) == [Datapoint(0, 1, 1.0), Datapoint(0, 2, 2.0)]


def test_a_file_at_its_bound_keeps_the_whole_course_at_a_coarser_step(tmp_path):
    path = tmp_path / "a.points"
    points = [Datapoint(metric, number, float(number)) for number in range(1000) for metric in (0, 1)]
    write(path, points, max_bytes=100 * SIZE)
    kept = list(read_series(path))
    assert path.stat().st_size <= 100 * SIZE
    for metric in (0, 1):
        times = [point.timestamp_ms for point in kept if point.metric == metric]
        assert times == sorted(set(times))
        assert times[0] == 0
        assert times[-1] > 900
        steps = {later - earlier for earlier, later in itertools.pairwise(times)}
        assert max(steps) <= 2 * min(steps)


def test_a_file_that_is_not_there_has_no_datapoints(tmp_path):
    assert list(read_series(tmp_path / "none")) == []


def test_a_directory_that_cannot_be_written_costs_datapoints_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("")
    write(tmp_path / "file" / "a.points", [Datapoint(0, 1, 1.0)])
