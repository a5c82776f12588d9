"""What scans find in files, what they cost, and who sees it."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import tarfile
import tracemalloc
import zipfile
import zlib
from collections import OrderedDict

import pytest
from sqlalchemy import delete, func, select

from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.assets.models_security import ContentScan, ScanState, SecurityFile, SecurityReport
from hub.assets.security import revisions
from hub.assets.security.files import Checker, Finding, Level, Limits, Treatment, add_checker
from hub.assets.security.reports import find_security, statuses_of
from hub.assets.security.revisions import prune_scans, scan_revision
from hub.assets.security.scanning import scan_content
from hub.assets.security.secrets import find_secrets
from hub.base.paging import PageArgs
from hub.db.uow import reading, unit_of_work
from hub.git import tree
from hub.jobs.run import run_due
from hub.repos import refs
from hub.repos.files import FileEdit, commit_files
from hub.repos.lookup import repository_path
from tests.support.cli import make_runner
from tests.support.pushes import MAIN, Workbench


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


class Own(dict):
    pass


AS_ADA = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
EVIL = pickle.dumps(Evil())
KEY = "hf_abcdEFGHijklMNOPqrstUVWXyzabCDefGH"
# Apart from its head: no file of this tree shall look as if it held a key.
PEM = "MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfnqY3f7kGx8v"


def zip_of(files, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tar_of(name, content):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def numpy_of(descr, content):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': (1,)}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


@pytest.fixture
def scan(context):
    """``scan(b"...", is_pickle=True, seconds=1.0)``: the verdict, and how many bytes were read for it."""

    def run(content, is_pickle=True, **limits):
        read = []

        def open_range(at, length):
            read.append(length)
            return [content[at : at + length]]

        treatment = Treatment.PICKLE if is_pickle else Treatment.PLAIN
        verdict = scan_content(
            context, size_bytes=len(content), open_range=open_range, treatment=treatment, limits=Limits(**limits)
        )
        return verdict, sum(read)

    return run


@pytest.mark.any_database
def test_pickles_are_found_wherever_they_are_and_judged_by_what_they_import(scan):
    unsafe = {
        **{f"protocol {number}": pickle.dumps(Evil(), number) for number in range(6)},
        "second": pickle.dumps([1]) + EVIL,
        "broken off": EVIL[:-1] + b"\xff",
        "PyTorch": zip_of({"m/data.pkl": EVIL, "m/data/0": b"\0" * 9000}),
        "unknown name": b"\x80\x04\x8c\x02os0\x8c\x01x\x8c\x06systemN0\x93.",
        "by the memo": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93.",
        "memo of another": b"\x80\x04\x8c\x02os\x8c\x01x0\x94\x8c\x06system\x94h\x00h\x01\x93.",
        "behind a large text": b"\x80\x04X" + (10**6).to_bytes(4, "little") + b"x" * 10**6 + b"0cos\nsystem\n.",
        "dunder": b"cbuiltins\n__import__\n.",
        "no name at all": b"c\xc3\xb6s\nsystem\n.",
        "gzip": gzip.compress(EVIL),
        "two gzips": gzip.compress(pickle.dumps(1)) + gzip.compress(EVIL),
        "zlib": zlib.compress(EVIL),
        "bz2": bz2.compress(EVIL),
        "xz": lzma.compress(EVIL),
    }
    for name, content in unsafe.items():
        verdict, _ = scan(content)
        # UTF-8 in a name of protocol 0 is none that Python would import.
        expected = ScanState.SAFE if name == "no name at all" else ScanState.UNSAFE
        assert verdict.state == expected, name
        json.dumps([verdict.findings, verdict.imports])
    # Whatever the file is called.
    anywhere = {
        "zip in zip": (zip_of({"a.zip": zip_of({"x.pkl": EVIL}, zipfile.ZIP_DEFLATED)}), "a.zip:x.pkl"),
        "npz": (zip_of({"a.npy": numpy_of("|O", EVIL)}, zipfile.ZIP_DEFLATED), "a.npy"),
        "npy": (numpy_of([("a", "<f4"), ("b", "|O")], EVIL), ""),
        "tar": (tar_of("w.ckpt", EVIL), "w.ckpt"),
        "tar.gz": (gzip.compress(tar_of("w.ckpt", EVIL)), "w.ckpt"),
        "no ending": (EVIL, ""),
    }
    for name, (content, where) in anywhere.items():
        verdict, _ = scan(content, is_pickle=False)
        assert (verdict.state, verdict.findings[0]["kind"]) == (ScanState.UNSAFE, "dangerous_import"), name
        assert verdict.findings[0]["where"] == where
    assert scan(pickle.dumps(Own()))[0].state == ScanState.SUSPICIOUS
    ordered, _ = scan(pickle.dumps(OrderedDict(a=list(range(9000)), b=b"x" * 10**6, c="y" * 10**6)))
    assert (ordered.state, ordered.imports) == (ScanState.SAFE, [["collections", "OrderedDict", "innocuous"]])
    for harmless in (b"", b"\x80\x04", b"id,name\n1,2\n", bytes(range(256)) * 40, numpy_of("<f4", EVIL)):
        assert scan(harmless)[0].state == ScanState.SAFE


@pytest.mark.any_database
def test_bombs_end_at_a_limit_with_a_reason_and_what_was_found_stays(scan):
    packed = zip_of({"x.pkl": b"\x80\x04" + b"N0" * 500_000}, zipfile.ZIP_DEFLATED)
    deep = EVIL
    for _ in range(5):
        deep = zip_of({"a.zip": deep})
    bombs = [
        (b"cposix\nsystem\n" + b"N0" * 50_000, {"steps": 10_000}, ScanState.UNSAFE, "operations"),
        (b"\x80\x04" + b"N0" * 50_000, {"steps": 10_000}, ScanState.ERROR, "operations"),
        (b"\x80\x04" + b"N0" * 50_000, {"seconds": 0.0}, ScanState.ERROR, "seconds"),
        (packed, {"unpacked_bytes": 100_000}, ScanState.SKIPPED, "too large"),
        (gzip.compress(b"N0" * 500_000), {"unpacked_bytes": 100_000}, ScanState.SKIPPED, "too large"),
        (zip_of({str(number): b"" for number in range(50)}), {"members": 40}, ScanState.ERROR, "more than 40 files"),
        (deep, {}, ScanState.ERROR, "more than 3 times"),
        (gzip.compress(zip_of({"x": bytes(10**6)})), {"nested_bytes": 9000}, ScanState.SKIPPED, "too large"),
        (b"I" + b"9" * 100_000 + b"\n.", {}, ScanState.SAFE, ""),
        (b"\x80\x04\x8b" + (10**6).to_bytes(4, "little") + bytes(10**6) + b".", {}, ScanState.SAFE, ""),
        (b"\x80\x04\x8e" + (10**12).to_bytes(8, "little") + b"x.", {}, ScanState.SAFE, ""),
        (b"N." * 5000, {}, ScanState.ERROR, "more than 1000 pickles"),
        (b"N" + b"r\xff\xff\xff\x7f" * 9 + b".", {}, ScanState.SAFE, ""),
        (zip_of({"a.pkl": EVIL})[:-60], {}, ScanState.ERROR, "cannot be read"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(90), {}, ScanState.SKIPPED, "7z"),
    ]
    for number, (content, limits, state, reason) in enumerate(bombs):
        verdict, _ = scan(content, **limits)
        assert (verdict.state, reason in verdict.reason) == (state, True), (number, verdict)
    # A member that is broken leaves the others.
    broken = bytearray(zip_of({"a.pkl": zlib.compress(bytes(99)), "b.pkl": EVIL}))
    broken[:4] = b"PK\3\4"
    broken[30 + 5 : 30 + 5 + 4] = b"\xff\xff\xff\xff"
    assert scan(bytes(broken))[0].state == ScanState.UNSAFE
    # Of large files only what is needed is read: here the list of a zip, its pickle, and the head of each tensor.
    weights = zip_of({"m/data.pkl": pickle.dumps(OrderedDict()), "m/data/0": bytes(8_000_000), "m/data/1": b"x"})
    verdict, read = scan(weights)
    assert verdict.state == ScanState.SAFE
    assert read < 800_000
    content = b"\x80\x04" + b"K\x010" * 60_000 + b"B" + (10**8).to_bytes(4, "little") + bytes(10**8) + b"."
    tracemalloc.start()
    assert scan(content)[0].state == ScanState.SAFE
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000  # what is read at once; not all the operations, not the large argument


@pytest.mark.any_database
def test_secrets_are_found_by_line_and_never_told(scan):
    text = f"""
        token = "{KEY}"
        AKIAQ3EGR7YTN5LMC2XZ and AKIAIOSFODNN7EXAMPLE
        ghp_16C7e42F292c6912E7710c838347Ae178B4a ghp_{"a" * 36}
        aws_secret_access_key = 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
        sha1 = 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c
        git clone https://ada:0f1e2d3c4b5a69788796a5b4c3d2e1f0@hub/x
        HUB_TOKEN="0f1e2d3c4b5a69788796a5b4c3d2e1f0"
        -----BEGIN RSA PRIVATE KEY-----
        {PEM}
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        {PEM}
    """.encode()
    found = [(finding.kind, finding.line) for finding in find_secrets(text)]
    assert found == [
        ("huggingface_token", 2),
        ("aws_access_key", 3),
        ("github_token", 4),
        ("aws_secret_key", 5),
        ("hub_token", 7),
        ("hub_token", 8),
        ("private_key", 9),
    ]
    verdict, _ = scan(text, is_pickle=False)
    assert verdict.state == ScanState.SUSPICIOUS
    said = json.dumps(verdict.findings, ensure_ascii=False)
    assert "A token of Hugging Face: hf_a… (37 characters)" in said
    assert not [word for word in text.decode().replace('"', " ").split() if len(word) > 15 and word in said]
    assert scan(text + b"\0", is_pickle=False)[0].state == ScanState.SAFE
    assert len(find_secrets(b"hf_abcdEFGHijklMNOPqrstUVWXyzabCDefGH\n" * 30_000)) == 100
    for flood in (b"secret_key", b"sk-", b"https://", b"hf_", b"-----BEGIN PRIVATE KEY-----\n", b"token:   "):
        assert find_secrets(flood * (300_000 // len(flood)) + b"T3BlbkFJ") == []


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def thing(ada, make_repository):
    return make_repository(ada)


@pytest.fixture
def push(context, thing):
    """``push({"a.txt": b"1"}, {"a.txt"})``: one commit; the files of the second set get the executable bit."""
    bench = Workbench(context, thing)

    def commit(files, executable=(), **where):
        edits = [FileEdit(path, content=content) for path, content in files.items()]
        where = {"branch": "main"} | where
        made = commit_files(context, actor=SYSTEM, repository_id=thing.id, message="Files", edits=edits, **where)
        if not executable:
            return made.commit_id
        for path in executable:
            blob = bench.git("rev-parse", f"main:{path}")
            bench.git("read-tree", "main")
            bench.git("update-index", "--add", "--cacheinfo", f"100755,{blob},{path}")
            tree = bench.git("write-tree")
            bench.git("update-ref", MAIN, bench.git(*AS_ADA, "commit-tree", tree, "-p", "main", "-m", "Bit"))
        assert refs.reconcile(context).recorded
        return bench.head

    return commit


def states_of(context, thing, actor=SYSTEM, **query):
    found = find_security(context, thing, actor=actor, page=PageArgs(1, 50), **query)
    return found, {file.path: file.state.value for file in found.files}


def count_of(context, model):
    with reading(context) as work:
        return work.session.scalar(select(func.count()).select_from(model))


def test_a_push_is_looked_through_and_a_content_only_once(context, thing, push, monkeypatch):
    weights = zip_of({"m/data.pkl": EVIL})
    files = {
        "evil.bin": weights,
        "own.pkl": pickle.dumps(Own()),
        "data/.env": f"HF_TOKEN={KEY}\n".encode(),
        "run.sh": b"#!/bin/sh\n",
        "plain.txt": b"plain\n",
        "odd.txt": b"odd\n",
        "tool": b"\x7fELF" + bytes(60),
    }
    first = push(files, {"run.sh", "odd.txt"})
    before, states = states_of(context, thing)
    assert (before.state, before.counts, set(states.values())) == (ScanState.QUEUED, {}, {"queued"})
    run_due(context)
    found, states = states_of(context, thing)
    assert (found.commit_id, found.state, found.is_current) == (first, ScanState.UNSAFE, True)
    assert {path: state for path, state in states.items() if state != "safe"} == {
        "evil.bin": "unsafe",
        "own.pkl": "suspicious",
        "data/.env": "suspicious",
        "odd.txt": "suspicious",
        "tool": "suspicious",
    }
    assert found.counts == {"unsafe": 1, "suspicious": 4, "safe": found.file_count - 5}
    assert found.total == found.file_count == len(states)
    suspicious, _ = states_of(context, thing, state=ScanState.SUSPICIOUS)
    assert [file.path for file in suspicious.files] == ["data/.env", "odd.txt", "own.pkl", "tool"]
    assert [one["kind"] for one in suspicious.files[1].findings] == ["executable_bit"]
    assert [file.path for file in states_of(context, thing, state=ScanState.SUSPICIOUS, path="data")[0].files] == [
        "data/.env"
    ]
    safe, _ = states_of(context, thing, state=ScanState.SAFE)
    assert (safe.total, {file.state for file in safe.files}) == (found.counts["safe"], {ScanState.SAFE})

    # The next push looks through what it brings, under whatever name; another branch is known as far as it is the same.
    looked = []
    real = revisions.scan_content
    monkeypatch.setattr(
        revisions, "scan_content", lambda *args, **values: looked.append(values["size_bytes"]) or real(*args, **values)
    )
    second = push({"copy.txt": b"plain\n", "new.txt": b"new one\n"})
    run_due(context)
    assert looked == [8]
    assert states_of(context, thing, revision=first)[0].state == ScanState.UNSAFE
    push({"x.txt": b"x"}, branch="main", new_branch="other")
    other, states = states_of(context, thing, revision="other")
    assert (other.state, states["x.txt"], states["evil.bin"]) == (ScanState.QUEUED, "queued", "unsafe")
    assert [file.path for file in states_of(context, thing, revision="other", state=ScanState.QUEUED)[0].files] != []

    # A new checker has everything looked at anew, and the results of before go when they are old.
    def check(file, result):
        if b"plain" in file.head:
            result.add(Finding("plain", Level.SUSPICIOUS, "It is plain.\0\ud800"))

    add_checker(context, Checker("test.plain", "1", check), owner="test")
    kept = count_of(context, ContentScan)
    monkeypatch.setattr(revisions, "KEEP_OUTDATED", -revisions.KEEP_OUTDATED)
    assert prune_scans(context) == 0  # what nobody has looked at since stays, and is shown
    before, states = states_of(context, thing)
    assert (before.is_current, states["evil.bin"], states["copy.txt"]) == (False, "unsafe", "safe")
    entries = tree.find_entries(repository_path(context.settings, thing), second, ["evil.bin", "x.txt"])[1]
    told = statuses_of(context, thing, actor=SYSTEM, entries=[each for each in entries if each is not None])
    assert (told["evil.bin"].state, bool(told["evil.bin"].findings)) == (ScanState.UNSAFE, True)
    scan_revision(context, thing, commit_id=second)
    found, states = states_of(context, thing)
    assert (found.is_current, states["copy.txt"]) == (True, "suspicious")
    [copy] = states_of(context, thing, path="copy.txt")[0].files
    assert copy.findings[0]["text"] == "It is plain.\\0\\ud800"
    assert 0 < prune_scans(context) <= kept
    assert states_of(context, thing)[0].state == ScanState.UNSAFE
    with unit_of_work(context) as work:
        work.session.add(ContentScan(content=f"lfs:{'0' * 64}", treatment="", version="1", state=ScanState.SAFE,
                                     findings=[], imports=[], scanned_at=work.now()))  # fmt: skip
    assert (prune_scans(context), prune_scans(context)) == (1, 0)


def test_a_run_that_was_cut_off_goes_on_and_a_store_that_is_away_is_no_verdict(context, thing, push, monkeypatch):
    monkeypatch.setattr(revisions, "PAGE", 3)
    monkeypatch.setattr(revisions, "_KEEP_ROWS", 2)
    commit = push({f"{number}.txt": f"{number}".encode() for number in range(9)} | {"w.bin": EVIL * 200})
    noted = []

    def stop(done):
        noted.append(done)
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan_revision(context, thing, commit_id=commit, note=stop)
    kept = count_of(context, ContentScan)
    assert 6 <= kept < 12
    assert states_of(context, thing)[0].state == ScanState.QUEUED

    def away(*args, **values):
        raise OSError("away")

    real = revisions.get_content
    monkeypatch.setattr(revisions, "get_content", away)
    with pytest.raises(OSError, match="away"):
        scan_revision(context, thing, commit_id=commit)
    monkeypatch.setattr(revisions, "get_content", real)
    scan_revision(context, thing, commit_id=commit)
    found, states = states_of(context, thing)
    assert (states["w.bin"], found.counts["unsafe"]) == ("unsafe", 1)
    again = count_of(context, SecurityReport)
    scan_revision(context, thing, commit_id=commit)
    assert count_of(context, SecurityReport) == again
    # What was given up goes in time, with its rows.
    monkeypatch.setattr(revisions, "GIVEN_UP_AFTER", -revisions.GIVEN_UP_AFTER)
    with unit_of_work(context) as work:
        work.session.execute(delete(SecurityReport).where(SecurityReport.finished_at.is_not(None)))
    scan_revision(context, thing, commit_id=commit)
    assert count_of(context, SecurityReport) == 1
    assert count_of(context, SecurityFile) == 1


@pytest.mark.any_database
def test_many_small_files_take_no_more_memory(context, thing, push):
    def peak_of(count):
        commit = push(
            {f"d{number % 50}/{count}-{number}.txt": f"{count} {number}\n".encode() for number in range(count)}
        )
        tracemalloc.start()
        scan_revision(context, thing, commit_id=commit)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    revisions_page = revisions.PAGE
    revisions.PAGE = 20
    try:
        peak_of(20)
        few, many = peak_of(60), peak_of(960)
    finally:
        revisions.PAGE = revisions_page
    # A page of files takes 100 kB; what is kept of each file, its row or its name, would take this much and more.
    assert (many - few) / 900 < 250
    assert states_of(context, thing)[0].file_count > 300


@pytest.mark.any_database
def test_who_sees_what(context, client, ada, make_user, make_token, thing, push, settings):
    bob = make_user("bob")
    push({"evil.bin": EVIL, "key.txt": f"\n{KEY}\n".encode()})
    run_due(context)

    def call(path, user=None, method="GET", **body):
        headers = {"Authorization": f"Bearer {make_token(user, 'write')}"} if user else {}
        return client.open(path, method=method, headers=headers, **body)

    place = "/api/v1/models/ada/thing/security"
    told = {
        name: call(f"{place}?state=suspicious", user).json["data"]["files"][0]["findings"][0]
        for name, user in (("nobody", None), ("bob", bob), ("ada", ada))
    }
    assert told["ada"] | {"line": 2} == told["ada"]
    assert told["ada"]["text"].endswith("hf_a… (37 characters)")
    assert told["bob"] == told["nobody"] == told["ada"] | {"line": None, "text": "A token of Hugging Face"}
    whole = call(f"{place}?per=2&page=1").json["data"]
    assert (whole["state"], whole["counts"]["unsafe"], len(whole["files"])) == ("unsafe", 1, 2)
    assert call(f"{place}?state=none").status_code == 400
    assert call(f"{place}?ref=none").status_code == 404
    assert [call(place, user, "POST", json={}).status_code for user in (None, bob, ada)] == [401, 403, 202]

    # As huggingface_hub asks.
    info = call("/api/models/ada/thing?securityStatus=true").json
    assert info["securityRepoStatus"] == {
        "scansDone": True,
        "filesWithIssues": [
            {"path": "evil.bin", "level": "unsafe"},
            {"path": "key.txt", "level": "suspicious"},
        ],
    }
    expanded = call(
        "/api/models/ada/thing/paths-info/main", method="POST", data={"paths": "evil.bin", "expand": "true"}
    )
    assert expanded.json[0]["securityFileStatus"] == {
        "status": "unsafe",
        "avScan": None,
        "pickleImportScan": {
            "status": "dangerous",
            "highestSafetyLevel": "dangerous",
            "imports": [{"module": "posix", "name": "system", "safety": "dangerous"}],
        },
    }
    assert "securityFileStatus" not in call("/api/models/ada/thing/tree/main").json[0]

    # Of a gated repository the states are told, the findings are not; of a private one nothing is.
    call("/api/v1/models/ada/thing/gate", ada, "PUT", json={"gated": "manual"})
    hidden = call(f"{place}?state=unsafe", bob).json["data"]["files"][0]
    assert (hidden["state"], hidden["findings"], hidden["imports"]) == ("unsafe", None, None)
    assert call(f"{place}?state=unsafe", ada).json["data"]["files"][0]["imports"] != []
    call("/api/v1/models/ada/thing", ada, "PUT", json={"private": True})
    assert call(place, bob).status_code == call(place).status_code == 404

    hub = make_runner(context, settings)
    found = json.loads(hub("scan", "ada/thing", "--json"))
    assert [file["path"] for file in found["files"]] == ["evil.bin", "key.txt"]
    assert "line 2: A token of Hugging Face" in hub("scan", "ada/thing")
    assert find_security(context, thing, actor=SYSTEM, page=PageArgs()).counts == found["counts"]
    assert ANONYMOUS.is_anonymous
