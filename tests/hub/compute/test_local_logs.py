"""Logs of the driver ``local``: what is written of what was printed, and how it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.compute.local.logreader import Follower, find_logs, read_last, tail
from hub.compute.local.logwriter import MAX_LINE_BYTES, LogWriter


def texts(path: Path, limit: int = 1000) -> list[str]:
    return [line.text for line in read_last(path, limit=limit)]


def test_lines_are_whole_short_masked_and_storable(tmp_path: Path) -> None:
    path = tmp_path / "1.0.log"
    secrets = ["s3cret-value", "s3cret", "-----BEGIN-----\nline-of-a-key\n", "ab"]
    writer = LogWriter(str(path), secrets)
    writer.feed("stdout", b"one\ntw")
    writer.feed("stderr", b"apart\n")
    writer.feed("stdout", b"o\r\n 1%\r 50%\r100%\nlast s3cret-")
    writer.feed("stdout", b"value and s3cret, line-of-a-key, ab\n\x00\xff\n")
    # A secret on the border of what is cut is masked, too.
    writer.feed("stdout", b"x" * (MAX_LINE_BYTES - 4) + b"s3cret-value" + b"y" * 100_000)
    writer.feed("stdout", b"z" * 100_000 + b"\nafter\n")
    writer.feed("stdout", b"".join(b"\r%d of many" % number for number in range(100_000)))
    writer.feed("stdout", b"\rdone\nno end")
    writer.flush()
    lines = read_last(path, limit=100)
    assert [line.text for line in lines if line.stream == "stderr"] == ["apart"]
    printed = [line.text for line in lines if line.stream == "stdout"]
    assert printed[:5] == ["one", "two", "100%", "last ****** and ******, ******, ab", "\ufffd\ufffd"]
    assert printed[5].startswith("x" * (MAX_LINE_BYTES - 4) + "****")
    assert printed[5].endswith("[cut]")
    assert printed[6:] == ["after", "done", "no end"]
    assert "s3cret" not in path.read_text()
    assert abs(lines[0].at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_log_is_rotated_read_over_its_parts_and_followed_through_them(tmp_path: Path) -> None:
    path = tmp_path / "7.0.log"
    writer = LogWriter(str(path), max_file_bytes=2000, files=5)
    follower = Follower(path)
    assert follower.begin(10, None) == []
    followed = []
    for number in range(300):
        writer.feed("stdout", b"line %d\n" % number)
        if number % 10 == 0:
            followed += follower.read()
    followed += follower.read()
    assert [line.text for line in followed] == [f"line {number}" for number in range(300)]
    parts = sorted(tmp_path.iterdir())
    assert len(parts) == 5
    assert all(part.stat().st_size <= 2000 for part in parts)
    kept = texts(path)
    assert kept == [f"line {number}" for number in range(300 - len(kept), 300)]
    assert 150 < len(kept) < 300
    assert texts(path, 3) == ["line 297", "line 298", "line 299"]
    assert tail(path, 2) == "line 298\nline 299"
    middle = read_last(path, limit=1000)[50]
    assert read_last(path, limit=1000, since=middle.at)[0].at >= middle.at
    # A line that is being written, or that a crash has cut, is no line.
    with path.open("ab") as file:
        file.write(b"2026-11-27T10:00:00.000Z stdout hal")
    second = Follower(path)
    assert [line.text for line in second.begin(1, None)] == ["line 299"]
    with path.open("ab") as file:
        file.write(b"f\nnonsense\n")
    assert [line.text for line in second.read()] == ["half"]
    second.close()
    follower.close()
    (tmp_path / "12.1.log").touch()
    assert find_logs(tmp_path) == {1: tmp_path / "12.1.log"}
    assert find_logs(tmp_path / "nowhere") == {}
