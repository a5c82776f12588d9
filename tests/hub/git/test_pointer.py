"""LFS pointer files, compared with the real git-lfs where it is installed."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.base.errors import Invalid
from hub.git.pointer import MAX_POINTER_SIZE_BYTES, format_pointer, parse_pointer
from tests.support.git import find_git_lfs

GIT_LFS = find_git_lfs()
OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
HEAD = "version https://git-lfs.github.com/spec/v1\n"
CANONICAL = f"{HEAD}oid sha256:{OID}\nsize 12345\n".encode()
EXTENSION = f"ext-0-foo sha256:{OID}\n"

# Every line is judged by us and by the client; both must agree.
CASES = {
    "canonical": CANONICAL,
    "no final newline": CANONICAL.rstrip(b"\n"),
    "carriage returns": CANONICAL.replace(b"\n", b"\r\n"),
    "blank line between": CANONICAL.replace(b"\noid", b"\n\noid"),
    "blank lines before": b"\n\n" + CANONICAL,
    "spaces after": CANONICAL + b"  \n ",
    "older version": CANONICAL.replace(b"https://git-lfs.github.com/spec/v1", b"https://hawser.github.com/spec/v1"),
    "oldest version": CANONICAL.replace(b"https://git-lfs.github.com/spec/v1", b"http://git-media.io/v/2"),
    "unknown version": CANONICAL.replace(b"spec/v1", b"spec/v9"),
    "extension": f"{HEAD}{EXTENSION}oid sha256:{OID}\nsize 1\n".encode(),
    "two extensions": f"{HEAD}{EXTENSION}ext-1-bar sha256:{OID}\noid sha256:{OID}\nsize 1\n".encode(),
    "extension twice": f"{HEAD}{EXTENSION}{EXTENSION}oid sha256:{OID}\nsize 1\n".encode(),
    "extensions of one priority": f"{HEAD}{EXTENSION}ext-0-bar sha256:{OID}\noid sha256:{OID}\nsize 1\n".encode(),
    "extension first": f"{EXTENSION}{HEAD}oid sha256:{OID}\nsize 1\n".encode(),
    "extension of two digits": f"{HEAD}ext-10-foo sha256:{OID}\noid sha256:{OID}\nsize 1\n".encode(),
    "extension after the size": f"{HEAD}oid sha256:{OID}\nsize 1\n{EXTENSION}".encode(),
    "swapped lines": f"{HEAD}size 1\noid sha256:{OID}\n".encode(),
    "extra line": CANONICAL + b"more here\n",
    "unknown key": CANONICAL.replace(b"size", b"length"),
    "upper-case oid": CANONICAL.replace(OID.encode(), OID.upper().encode()),
    "short oid": CANONICAL.replace(OID.encode(), OID[:-1].encode()),
    "long oid": CANONICAL.replace(OID.encode(), OID.encode() + b"0"),
    "other hash": CANONICAL.replace(b"sha256:", b"sha512:"),
    "negative size": CANONICAL.replace(b"12345", b"-1"),
    "signed size": CANONICAL.replace(b"12345", b"+5"),
    "zero size": CANONICAL.replace(b"12345", b"0"),
    "negative zero": CANONICAL.replace(b"12345", b"-0"),
    "size with leading zeros": CANONICAL.replace(b"12345", b"007"),
    "fractional size": CANONICAL.replace(b"12345", b"1.5"),
    "largest size": CANONICAL.replace(b"12345", str(2**63 - 1).encode()),
    "size too large": CANONICAL.replace(b"12345", str(2**63).encode()),
    "two spaces": CANONICAL.replace(b"size ", b"size  "),
    "tab": CANONICAL.replace(b"size ", b"size\t"),
    "missing size": f"{HEAD}oid sha256:{OID}\n".encode(),
    "only the version": HEAD.encode(),
    "prose": b"see https://git-lfs.github.com/spec/v1 for more\n",
    "NUL": CANONICAL.replace(b"12345", b"12\x00345"),
}
POINTERS = {
    "canonical",
    "no final newline",
    "carriage returns",
    "blank line between",
    "blank lines before",
    "spaces after",
    "older version",
    "oldest version",
    "extension",
    "two extensions",
    "extension twice",
    "extension first",
    "signed size",
    "zero size",
    "negative zero",
    "size with leading zeros",
    "largest size",
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_is_a_pointer_exactly_when_the_client_says_so(case: str) -> None:
    assert (parse_pointer(CASES[case]) is not None) == (case in POINTERS)


@pytest.mark.skipif(GIT_LFS is None, reason="git-lfs is not installed; `make test` brings one")
@pytest.mark.parametrize("case", CASES)
def test_the_real_client_agrees(case: str) -> None:
    checked = subprocess.run([str(GIT_LFS), "pointer", "--check", "--stdin"], input=CASES[case], capture_output=True)
    assert (checked.returncode == 0) == (parse_pointer(CASES[case]) is not None), checked.stderr


def test_a_pointer_tells_the_size_of_the_content_and_its_own() -> None:
    pointer = parse_pointer(CANONICAL)
    assert pointer is not None
    assert (pointer.oid, pointer.size_bytes, pointer.pointer_size_bytes) == (OID, 12345, len(CANONICAL))


def test_a_file_over_the_size_of_pointers_is_content() -> None:
    padded = CANONICAL + b"\n" * (MAX_POINTER_SIZE_BYTES - len(CANONICAL))
    assert parse_pointer(padded) is not None
    assert parse_pointer(padded + b"\n") is None


@pytest.mark.parametrize(("oid", "size"), [("xyz", 1), (OID.upper(), 1), (OID, -1), (OID, 2**63), (OID + "0", 1)])
def test_no_pointer_is_written_that_could_not_be_read(oid: str, size: int) -> None:
    with pytest.raises(Invalid):
        format_pointer(oid, size)


@given(oid=st.text("0123456789abcdef", min_size=64, max_size=64), size=st.integers(0, 2**63 - 1))
def test_what_is_written_is_read_back(oid: str, size: int) -> None:
    data = format_pointer(oid, size)
    pointer = parse_pointer(data)
    assert pointer is not None
    assert (pointer.oid, pointer.size_bytes, pointer.pointer_size_bytes) == (oid, size, len(data))


@given(st.binary(max_size=2048))
def test_any_bytes_are_judged_without_an_error(data: bytes) -> None:
    assert parse_pointer(data) is None


@given(st.integers(0, len(CANONICAL) - 1), st.binary(max_size=3))
def test_a_damaged_pointer_is_never_read_as_something_else(at: int, damage: bytes) -> None:
    pointer = parse_pointer(CANONICAL[:at] + damage + CANONICAL[at + 1 :])
    assert pointer is None or (len(pointer.oid) == 64 and pointer.size_bytes >= 0)
