"""Log streams on disk."""

from __future__ import annotations

import stat

import pytest

from sm_remote.service.logs.stream import LogSpool, is_line_start, read_backward, read_forward


@pytest.fixture
def path(tmp_path):
    return tmp_path / "job" / "algo-1-1.log"


def open_spool(path, **options) -> LogSpool:
    return LogSpool(path, lambda: None, **options)


def messages(page) -> list[str]:
    return [event.message for event in page.events]


def test_lines_come_back_in_order_with_their_times(path):
    spool = open_spool(path)
    spool.say(1, "who runs it\nwhat it lacks")
    spool.append(2, b"first")
    page = read_forward(path, 0, limit=10)
    assert [(event.timestamp_ms, event.message) for event in page.events] == [
        (1, "who runs it"),
        (1, "what it lacks"),
        (2, "first"),
    ]
    spool.close()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"", ""),
        (b" leading  and inner blanks ", " leading  and inner blanks "),
        (b"a\tb\rc", "a\tb\rc"),
        (b"caf\xc3\xa9 \xff", "café �"),
        (b"\x1b[31mred\x1b[0m \0", "\x1b[31mred\x1b[0m \0"),
        ("\u2028\x85\x0b".encode(), "\u2028\x85\x0b"),
        (b"5 s forged", "5 s forged"),
    ],
)
def test_a_line_is_shown_as_the_job_wrote_it(path, line, shown):
    spool = open_spool(path)
    spool.append(1, line)
    spool.append(2, b"next")
    assert messages(read_forward(path, 0, limit=10)) == [shown, "next"]
    spool.close()


def test_a_page_goes_on_where_the_last_one_ended(path):
    spool = open_spool(path)
    for number in range(10):
        spool.append(number, b"line %d" % number)
    first = read_forward(path, 0, limit=4)
    second = read_forward(path, first.end, limit=100)
    assert messages(first) + messages(second) == [f"line {number}" for number in range(10)]
    nothing = read_forward(path, second.end, limit=5)
    assert (nothing.events, nothing.end) == ((), second.end)
    spool.close()


def test_reading_backward_gives_the_last_lines_oldest_first(path):
    spool = open_spool(path)
    for number in range(10):
        spool.append(number, b"line %d" % number)
    last = read_backward(path, 1 << 40, limit=3)
    assert messages(last) == ["line 7", "line 8", "line 9"]
    assert messages(read_backward(path, last.start, limit=100)) == [f"line {number}" for number in range(7)]
    spool.close()


def test_pages_are_bounded_in_bytes_and_lose_nothing(path):
    spool = open_spool(path)
    for number in range(30):
        spool.append(number, b"%d " % number + b"x" * 100_000)
    forward, offset = [], 0
    while page := read_forward(path, offset, limit=10_000):
        if not page.events:
            break
        assert page.end - page.start <= 1 << 20
        forward += messages(page)
        offset = page.end
    backward, offset = [], offset
    while page := read_backward(path, offset, limit=10_000):
        if not page.events:
            break
        backward = messages(page) + backward
        offset = page.start
    assert [line.split()[0] for line in forward] == [str(number) for number in range(30)]
    assert backward == forward
    spool.close()


def test_a_stream_that_is_opened_again_knows_how_many_lines_of_the_job_it_has(path):
    spool = open_spool(path)
    spool.say(1, "ours")
    spool.append(1, b"one")
    spool.append(1, b"two")
    spool.close()
    again = open_spool(path)
    assert (again.job_lines, again.is_new) == (2, False)
    again.close()


def test_a_line_that_a_crash_left_unfinished_is_cut_off(path):
    spool = open_spool(path)
    spool.append(1, b"whole")
    spool.close()
    with path.open("ab") as file:
        file.write(b"2 j unfin")
    again = open_spool(path)
    again.append(3, b"next")
    assert messages(read_forward(path, 0, limit=10)) == ["whole", "next"]
    again.close()


def test_a_stream_that_is_full_says_so_once_and_takes_no_more(path):
    spool = open_spool(path, max_bytes=300)
    for number in range(100):
        spool.append(number, b"0123456789")
    spool.close()
    lines = messages(read_forward(path, 0, limit=1000))
    assert lines[-1] == "The log is cut off here: it has reached 300 bytes."
    assert lines[:-1] == ["0123456789"] * (len(lines) - 1)
    assert path.stat().st_size < 400


def test_the_file_is_the_owners_alone(path):
    open_spool(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_offset_within_a_line_is_recognised(path):
    spool = open_spool(path)
    spool.append(1, b"one")
    end = read_forward(path, 0, limit=1).end
    assert [is_line_start(path, offset) for offset in (0, 1, end)] == [True, False, True]
    spool.close()


def test_what_is_written_after_the_close_is_dropped(path):
    spool = open_spool(path)
    spool.close()
    spool.append(1, b"late")
    assert path.read_bytes() == b""


def test_a_full_stream_still_takes_the_record_of_the_outcome(tmp_path):
    path = tmp_path / "stream.log"
    spool = open_spool(path, max_bytes=300)
    for _ in range(100):
        spool.append(1, b"x" * 20)
    marker = b"sm_remote outcome " + b"a" * 64 + b" 17 " + b"b" * 16
    spool.append(2, marker)
    spool.append(3, b"too late")
    lines = [event.message for event in read_forward(path, 0, limit=1000).events]
    assert lines[-1] == marker.decode()
    for _ in range(1000):
        spool.append(4, marker)
    assert path.stat().st_size < 300 + (17 << 10)
