"""Rows on Xet: what checking an uploaded xorb costs."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from plugins.xnet.formats.xorbs import read_xorb
from tests.bench.bench import Bench, Outcome, Row
from tests.bench.data import MIB
from tests.bench.measure import median
from tests.support.xet_client import BG4_LZ4, LARGEST, LZ4, SMALLEST, STORED, pack_xorb

XORB_BYTES = 60 * MIB
# MiB a second of a core.
FEWEST = 400


def _chunks(source: bytes, chance: random.Random) -> Iterator[bytes]:
    """Pieces of a source, as long as clients' chunks are; together a xorb."""
    left = XORB_BYTES
    while left >= SMALLEST:
        length = min(left, chance.randint(SMALLEST, LARGEST))
        start = chance.randrange(0, len(source) - length, 4)
        yield source[start : start + length]
        left -= length


def measure_validation(bench: Bench) -> list[Outcome]:
    """MiB of contents a second of a core's time: headers, decompression, hashes of the chunks and of the xorb."""
    chance = random.Random(20)
    texts = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.parent.rglob("*.py")))
    weights = struct.pack("<500000f", *(chance.gauss(0, 0.02) for _ in range(500_000)))
    outcomes = []
    for kind, scheme, source in (
        ("noise, uncompressed", STORED, chance.randbytes(16 * MIB)),
        ("source code, LZ4", LZ4, texts),
        ("weights of 32 bits, BG4-LZ4", BG4_LZ4, weights),
    ):
        body = pack_xorb(_chunks(source, chance), scheme)
        rates = []
        for _ in range(bench.rounds):
            start = time.thread_time()
            xorb = read_xorb(body)
            rates.append(xorb.raw_bytes / MIB / (time.thread_time() - start))
        outcomes.append(
            Outcome(
                f"check of a xorb of 60 MiB: {kind}",
                f"{median(rates):,.0f} MiB/s",
                "—",
                None,
                f"≥ {FEWEST} MiB/s a core",
                median(rates) >= FEWEST,
                f"{len(xorb.chunks)} chunks, stored in {xorb.stored_bytes / xorb.raw_bytes:.0%}",
            )
        )
    return outcomes


ROWS = (Row("xet-validate", "what checking an uploaded xorb costs", measure_validation),)
