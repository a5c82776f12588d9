"""Secrets in texts: what others could sign in with. Only what has a form of its own is looked for.

A secret is nowhere kept: a finding has its first letters, which say whose it is, and its length.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from hub.assets.security.files import MAX_FINDINGS, CheckedFile, Finding, Level, Result

# Of a text, the beginning is looked through.
MAX_TEXT_BYTES = 2 * 1024 * 1024
# Bits of each letter: of chance ones there are 4 and more, of "xxxx" and "12341234" less.
MIN_ENTROPY = 3.0
_SHOWN = 4
_PIECE_BYTES = 64 * 1024
_EXAMPLE = re.compile(rb"EXAMPLE|example|XXXX|xxxx|0000000|1234567890")


@dataclass(frozen=True)
class Pattern:
    """One form of secrets. words: one of them is in each text that has such a secret. The group is the secret."""

    kind: str
    title: str
    words: tuple[bytes, ...]
    form: re.Pattern[bytes]
    min_entropy: float = MIN_ENTROPY


# Sources: the services' own descriptions of their keys, as gitleaks and GitHub's secret scanning have them.
PATTERNS = (
    Pattern(
        "private_key",
        "A private key",
        (b"PRIVATE KEY",),
        # One that is encrypted needs its password, too.
        re.compile(
            rb"-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP )?PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|\s){1,40}"
            rb"([A-Za-z0-9+/=]{32})"
        ),
        2.5,
    ),
    Pattern("aws_access_key", "A key id of AWS", (b"AKIA", b"ASIA"), re.compile(rb"\b((?:AKIA|ASIA)[A-Z2-7]{16})\b")),
    Pattern(
        "aws_secret_key",
        "A secret key of AWS",
        (b"ecret", b"ECRET"),
        re.compile(
            rb"(?i:secret[_ -]?(?:access[_ -]?)?key[\"']?\s{0,3}[:=]\s{0,3}[\"']?)([A-Za-z0-9/+]{40})(?![\w/+=])"
        ),
        4.0,  # more than hexadecimal digits can have
    ),
    Pattern("google_api_key", "A key of Google Cloud", (b"AIza",), re.compile(rb"\b(AIza[\w-]{35})(?![\w-])")),
    Pattern(
        "github_token",
        "A token of GitHub",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        re.compile(rb"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})\b"),
    ),
    Pattern("huggingface_token", "A token of Hugging Face", (b"hf_",), re.compile(rb"\b(hf_[A-Za-z0-9]{34})\b")),
    Pattern(
        "openai_key",
        "A key of OpenAI",
        (b"T3BlbkFJ",),
        re.compile(rb"\b(sk-(?:[a-z]{1,12}-)?[\w-]{20,100}T3BlbkFJ[\w-]{20,100})"),
    ),
    Pattern(
        "anthropic_key", "A key of Anthropic", (b"sk-ant-",), re.compile(rb"\b(sk-ant-[a-z0-9]{1,10}-[\w-]{80,120})")
    ),
    Pattern("slack_token", "A token of Slack", (b"xox",), re.compile(rb"\b(xox[abprs]-[A-Za-z0-9-]{20,200})\b")),
    # This hub's tokens, as CSGHub's, are 32 hexadecimal digits: only what stands before them tells them from hashes.
    Pattern(
        "hub_token",
        "An access token of a hub",
        (b"oken", b"OKEN"),
        re.compile(
            rb"(?i:(?:access|api|hub|user|csghub|auth)[_ -]?token[\"']?\s{0,3}[:=]\s{0,3}[\"']?)([0-9a-f]{32})\b"
        ),
    ),
    Pattern(
        "hub_token",
        "An address with an access token",
        (b"://",),
        re.compile(rb"https?://[^\s:/@\"']{1,64}:([0-9a-f]{32})@"),
    ),
)


def check_secrets(file: CheckedFile, result: Result) -> None:
    """Report what looks like a secret in a text."""
    if not file.is_text or not file.size_bytes:
        return
    stream = file.open()
    pieces, left = [], min(file.size_bytes, MAX_TEXT_BYTES)
    while left and (piece := stream.read(min(left, _PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    for finding in find_secrets(b"".join(pieces)):
        result.add(finding)


def find_secrets(text: bytes) -> list[Finding]:
    """The secrets in a text, by line."""
    found: dict[tuple[int, str], Finding] = {}
    for pattern in PATTERNS:
        if not any(word in text for word in pattern.words):
            continue
        line, counted = 1, 0
        for match in pattern.form.finditer(text):
            secret = match[1]
            if _EXAMPLE.search(secret) or _entropy(secret) < pattern.min_entropy:
                continue
            line += text.count(b"\n", counted, match.start())
            counted = match.start()
            shown = "" if pattern.kind == "private_key" else f": {secret[:_SHOWN].decode()}… ({len(secret)} characters)"
            finding = Finding(pattern.kind, Level.SUSPICIOUS, f"{pattern.title}{shown}", line=line, is_secret=True)
            found.setdefault((line, pattern.kind), finding)
            if len(found) >= MAX_FINDINGS:
                break
    return [found[key] for key in sorted(found)]


def _entropy(secret: bytes) -> float:
    """Shannon's, in bits of each letter."""
    counts = Counter(secret).values()
    return -sum(count / len(secret) * math.log2(count / len(secret)) for count in counts)
