"""Programs of machines: what begins as ELF, PE and Mach-O files do."""

from __future__ import annotations

from hub.assets.security.files import CheckedFile, Finding, Level, Result

_MACH_O = {
    b"\xfe\xed\xfa\xce",
    b"\xce\xfa\xed\xfe",
    b"\xfe\xed\xfa\xcf",
    b"\xcf\xfa\xed\xfe",
}
# A Java class begins so, too; there the next number is a version, and no program is for 40 machines.
_MACH_O_FAT = b"\xca\xfe\xba\xbe"
_MOST_MACHINES = 40


def check_executable(file: CheckedFile, result: Result) -> None:
    """Report a program that a machine runs as it is."""
    name = _program_of(file.head)
    if name:
        result.add(Finding("executable", Level.SUSPICIOUS, f"The file is a program ({name})."))


def _program_of(head: bytes) -> str:
    start = head[:4]
    if start == b"\x7fELF":
        return "ELF"
    if start in _MACH_O:
        return "Mach-O"
    if start == _MACH_O_FAT and 0 < int.from_bytes(head[4:8], "big") < _MOST_MACHINES:
        return "Mach-O"
    if start[:2] == b"MZ":
        at = int.from_bytes(head[0x3C:0x40], "little")
        if head[at : at + 4] == b"PE\0\0":
            return "PE"
    return ""
