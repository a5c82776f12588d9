"""What files of weights say at their heads, and what a model's files say together."""

import dataclasses
import io
import json
import math
import shutil
import struct
import zipfile

import pytest

from hub.accounts.policy import SYSTEM
from hub.assets.heads import onnx, reading
from hub.assets.heads.estimates import GIB, bytes_to_finetune, bytes_to_run, gib
from hub.assets.heads.gguf import read_gguf_head
from hub.assets.heads.models import Found, judge
from hub.assets.heads.onnx import read_onnx
from hub.assets.heads.safetensors import read_safetensors
from hub.assets.heads.source import Source
from hub.assets.heads.types import HeadError
from hub.assets.heads.zips import read_zip
from hub.assets.models_indexing import ModelMetadata
from hub.assets.service.modelmetadata import Brief
from hub.db.uow import unit_of_work
from hub.jobs.run import run_due
from hub.objects.store import STORE, create_store
from hub.repos.files import FileEdit, commit_files
from tests.support.assets import fetch_model


class Counted(Source):
    """A source of these bytes that says how many of them were read."""

    def __init__(self, data, size_bytes=None):
        self.taken = 0

        def fetch(start, length):
            self.taken += length
            yield data[start : start + length]

        super().__init__(len(data) if size_bytes is None else size_bytes, fetch)


SIZES = {"F32": 4, "BF16": 2, "F16": 2}


def safetensors(tensors, *, is_cut=False, **metadata):
    """is_cut: whether the weights are left out."""
    head, at = {}, 0
    for name, (dtype, shape) in tensors.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at := at + SIZES[dtype] * math.prod(shape)]}
    raw = json.dumps({**({"__metadata__": metadata} if metadata else {}), **head}).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(0 if is_cut else at)


def gguf_text(value):
    return struct.pack("<Q", len(value)) + value


def gguf(tensors, members=(), *, counts=None):
    """counts: (tensors, members) that the head claims."""
    pairs = [(b"general.architecture", 8, gguf_text(b"llama")), (b"llama.context_length", 4, struct.pack("<I", 2048))]
    body = b"".join(gguf_text(name) + struct.pack("<I", kind) + value for name, kind, value in [*pairs, *members])
    for name, shape, kind in tensors:
        body += gguf_text(name.encode()) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        body += struct.pack("<IQ", kind, 0)
    weights = bytes(min(sum(math.prod(shape) * 4 for _name, shape, _kind in tensors), 64 * 1024))
    return b"GGUF" + struct.pack("<IQQ", 3, *(counts or (len(tensors), len(members) + 2))) + body + weights


def field(number, value):
    """A field of protobuf: a number, or bytes."""

    def varint(value):
        found = bytearray()
        while value > 0x7F:
            found.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes(found) + bytes([value])

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def initializer(name, kind, dims, data=b"", *, packed=False):
    shape = field(1, b"".join(bytes([size]) for size in dims)) if packed else b"".join(field(1, size) for size in dims)
    return shape + field(2, kind) + field(8, name) + field(9, data)


def onnx_file(*tensors):
    dimension = field(1, field(2, b"batch")) + field(1, field(1, 16))
    port = field(1, b"x") + field(2, field(1, field(1, 1) + field(2, dimension)))
    graph = field(1, field(4, b"Gemm")) + field(1, field(4, b"Relu")) + field(2, b"net")
    graph += b"".join(field(5, tensor) for tensor in tensors) + field(11, port) + field(12, port)
    return (
        field(1, 9) + field(2, b"pytorch") + field(7, graph) + field(8, field(1, b"") + field(2, 17))
        + field(14, field(1, b"k") + field(2, b"v"))
    )  # fmt: skip


def archive(members, **options):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return stream.getvalue()


@pytest.mark.any_database
def test_each_format_tells_its_tensors_and_metadata_and_no_weight_is_read():
    head = read_safetensors(Counted(safetensors({"w": ("F32", [2, 3]), "b": ("BF16", [7])}, format="pt")))
    assert (head.counts(), head.metadata) == ({"F32": 6, "BF16": 7}, {"format": "pt"})
    first = head.tensors[0]
    assert (first.name, first.dtype, first.shape, first.size_bytes) == ("w", "F32", [2, 3], 24)
    words = struct.pack("<IQ", 8, 3) + b"".join(map(gguf_text, (b"<s>", b"</s>", b"a")))
    members = [(b"tokenizer.ggml.tokens", 9, words), (b"general.file_type", 4, struct.pack("<I", 15))]
    head = read_gguf_head(Counted(gguf([("w", (256, 2), 12), ("n", (8,), 0)], members)))
    assert head.counts() == {"Q4_K": 512, "F32": 8}
    assert [tensor.size_bytes for tensor in head.tensors] == [288, 32]
    facts = {"architecture": "llama", "context_length": 2048, "quantization": "Q4_K_M", "vocabulary_size": 3}
    assert facts.items() <= head.facts.items()
    assert head.metadata["tokenizer.ggml.tokens"] == "[3 texts]"
    weights = bytes(8 * 1024 * 1024)
    source = Counted(onnx_file(initializer(b"w", 1, (4, 5), weights), initializer(b"b", 16, (5,), b"", packed=True)))
    head = read_onnx(source)
    assert source.taken < 1024 * 1024
    assert (head.counts(), head.metadata["opset"]) == ({"F32": 20, "BF16": 5}, {"ai.onnx": 17})
    assert head.metadata["operators"] == {"Gemm": 1, "Relu": 1}
    assert head.metadata["inputs"] == [{"name": "x", "dtype": "F32", "shape": ["batch", 16]}]
    assert head.metadata["properties"] == {"k": "v"}
    source = Counted(archive({"m/data.pkl": b"x" * 10, "m/data/0": weights}))
    head = read_zip(source)
    assert source.taken < 1024 * 1024
    assert [(tensor.name, tensor.size_bytes) for tensor in head.tensors] == [
        ("m/data.pkl", 10),
        ("m/data/0", len(weights)),
    ]
    assert head.facts == {"is_pytorch": True}


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("read", "data", "word"),
    [
        (read_safetensors, b"abc", "too short"),
        (read_safetensors, struct.pack("<Q", 100 * 1024**3) + b"{}", "107,374,182,400 bytes; more than 16 MiB"),
        (read_safetensors, struct.pack("<Q", 1000) + b"{}", "which it has not"),
        (read_safetensors, struct.pack("<Q", 2) + b"[]", "no JSON object"),
        (read_safetensors, safetensors({"w": ("F32", [2**62, 2**62])}, is_cut=True), "no type and shape"),
        (
            read_safetensors,
            safetensors({"a": ("F32", [2**62]), "b": ("F32", [2**62])}, is_cut=True),
            "more numbers than any file",
        ),
        (read_safetensors, struct.pack("<Q", 3_000_008) + b'{"a":[' + b"[]," * 999_999 + b"[]]} ", "1,000,000 values"),
        (read_safetensors, safetensors({"w": ("F32", [7, 10**9])}, is_cut=True), "would have 28,000,000,000 bytes"),
        (read_gguf_head, gguf([("w", (2**20, 2), 0)]), "would have 8,388,608 bytes"),
        (read_gguf_head, b"GGUX" + bytes(100), "no GGUF file"),
        (read_gguf_head, gguf([("w", (2,), 0)], counts=(2**63, 2)), "9,223,372,036,854,775,808 tensors"),
        (read_gguf_head, gguf([("w", (2,), 0)], counts=(60_000, 2)), "more in it than the file holds"),
        (read_gguf_head, gguf([], counts=(100_001, 2)), "100,001 tensors"),
        (read_gguf_head, gguf([], [(b"general.file_type", 9, struct.pack("<IQ", 8, 0))]), None),
        (read_gguf_head, gguf([("w", (2**40, 2**40), 0)]), "more numbers than any file"),
        (read_gguf_head, gguf([], [(b"k", 9, struct.pack("<IQ", 8, 2**60))]), "too many items"),
        (read_onnx, b"\xff" * 100, "has no end"),
        (read_onnx, b"\x0a" + b"\xff" * 9 + b"\x01", "longer than the message"),
        (read_onnx, field(1, 9), "no graph"),
        (read_onnx, field(1, 9) + field(7, b""), None),
        (read_onnx, onnx_file(initializer(b"w", 1, (2**62, 2**62))), "more numbers than any file"),
        (read_zip, b"PK\x03\x04" + bytes(100), "no directory"),
        (read_zip, archive({"a": b"b"})[:-12] + struct.pack("<HIIH", 9, 2**31, 0, 0), "is not read"),
    ],
)
def test_a_head_that_lies_gives_its_reason(read, data, word):
    if word is None:
        assert read(Counted(data)).tensors == []
        return
    with pytest.raises(HeadError) as caught:
        read(Counted(data))
    assert word in str(caught.value)


@pytest.mark.any_database
def test_a_head_spread_over_a_huge_file_is_given_up():
    # Each field steps over a megabyte that is not there to be read: 4 TB, of which a budget is looked at.
    step = field(99, bytes(3))[:-3]

    def fetch(start, length):
        yield (step * (length // len(step) + 1))[:length]

    with pytest.raises(HeadError):
        read_onnx(Source(4 * 1024**4, fetch))
    bomb = archive({"m/data.pkl": bytes(20_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert "a hundred times" in read_zip(Counted(bomb)).note


@pytest.mark.any_database
def test_what_a_head_costs_follows_its_length(monkeypatch):
    monkeypatch.setattr(onnx, "MAX_FIELDS", 1000)
    with pytest.raises(HeadError, match="more than 1,000 fields"):
        read_onnx(Counted(field(1, 1) * 1001))
    # A long list of an archive's members: none is looked for behind all the others.
    taken = 0

    class Seen(bytes):
        def __getitem__(self, at):
            nonlocal taken
            found = bytes.__getitem__(self, at)
            taken += len(found) if isinstance(found, bytes) else 1
            return found

    class Whole(Counted):
        def read(self, start, length):
            return Seen(super().read(start, length))

    packed = archive({f"m/data/{number}": b"" for number in range(500)})
    assert len(read_zip(Whole(packed)).tensors) == 500
    assert taken < 3 * len(packed)
    # Nothing but texts belongs into a safetensors file's metadata.
    raw = json.dumps({"__metadata__": {"a": [[1, 2], []], "b": "c"}}).encode()
    assert read_safetensors(Counted(struct.pack("<Q", len(raw)) + raw)).metadata == {"a": "[2 values]", "b": "c"}


@pytest.mark.any_database
def test_a_model_of_absurd_size_has_no_size():
    summary = reading.Summary("a.onnx", "onnx", 1, {"C128": 2**62}, 2**66, {})
    found = judge(Found(), [summary])
    assert (found["parameters"], found["weight_bytes"], found["run_bytes"]) == (2**62, None, None)


@pytest.mark.any_database
def test_what_lists_tell_of_many_variants_stays_short():
    names = [f"{'x' * 200 * (number % 2)}{number}.gguf" for number in range(400)]
    variants = [reading.Summary(name, "gguf", 10, {"F32": 1}, 4, {}) for name in names]
    row = ModelMetadata(**judge(Found(), variants))
    assert len(row.quantizations) == 400
    assert len(Brief.of(row).text) < 4_000


@pytest.mark.any_database
def test_a_real_model_is_read_as_llama_cpp_reads_it():
    path = fetch_model()
    head = reading._read_plain(path, path.stat().st_size, "gguf")
    assert head["facts"] == {
        "architecture": "llama",
        "context_length": 8192,
        "quantization": "Q4_1",
        "vocabulary_size": 49152,
        "tokenizer": "gpt2",
    }
    assert (sum(head["counts"].values()), len(head["tensors"])) == (134_515_008, 272)
    # All but the head itself and its padding.
    assert path.stat().st_size - head["weight_bytes"] < 2 * 1024 * 1024
    assert head["metadata"]["general.file_type"] == 3


@pytest.fixture
def push(context):
    """``push(repository, {"a.txt": b"1"})``: one commit to the default branch, and what follows it."""

    def commit(repository, files):
        edits = [FileEdit(path, content=content) for path, content in files.items()]
        commit_files(context, actor=SYSTEM, repository_id=repository.id, message="Files", edits=edits, branch="main")
        run_due(context)

    return commit


@pytest.mark.any_database
def test_the_head_of_a_large_file_in_an_object_store_is_read_by_a_job(
    context, client, make_user, make_repository, push, s3_storage_url, monkeypatch
):
    context.settings = dataclasses.replace(context.settings, storage_url=s3_storage_url)
    context._values[STORE.name] = create_store(context.settings)
    monkeypatch.setattr(reading, "MAX_WHOLE_BYTES", 100_000)
    ada = make_user("ada")
    net, small = (onnx_file(initializer(b"w", 1, (4, 5), bytes(size))) for size in (200_000, 10))
    rules = {".gitattributes": b"*.onnx filter=lfs diff=lfs merge=lfs -text\n"}
    for kind in ("model", "code"):
        push(make_repository(ada, kind, kind=kind), rules | {"net.onnx": net, "small.onnx": small})

    def head(kind, name):
        answer = client.get(f"/api/v1/{kind}s/ada/{kind}/header/{name}.onnx").json
        return answer.get("code"), len((answer.get("data") or {}).get("tensors", []))

    # Of a model the index has read it; of anything else a job does once somebody asks.
    assert [head("model", name)[1] for name in ("net", "small")] == [1, 1]
    shutil.rmtree(context.settings.cache_path / "derived")
    assert [head("code", "net") for _ in range(2)] == [("head_pending", 0)] * 2
    assert head("code", "small")[1] == 1
    run_due(context)
    assert head("code", "net")[1] == 1


@pytest.mark.any_database
def test_a_models_metadata_stands_in_its_object_in_lists_and_file_by_file(client, make_user, make_repository, push):
    ada = make_user("ada")
    names = ("whole", "parts", "small", "pipe", "none")
    models = {name: make_repository(ada, name) for name in names}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "max_position_embeddings": 4096,
        "vocab_size": 32000,
        "quantization_config": {"quant_method": "gptq"},
    }
    push(
        models["whole"],
        {
            "config.json": json.dumps(config).encode(),
            "tokenizer_config.json": b'{"tokenizer_class": "LlamaTokenizer", "model_max_length": 1e30}',
            "model.safetensors": safetensors({"w": ("BF16", [1000, 7]), "b": ("F32", [8])}),
            "model.fp16.safetensors": safetensors({"w": ("F16", [1000, 7])}),
            "bad.safetensors": struct.pack("<Q", 100 * 1024**3),
            "net.onnx": onnx_file(initializer(b"w", 1, (4, 5))),
            "pytorch_model.bin": archive({"m/data.pkl": b"x", "m/data/0": b"yy"}),
            "old.pt": b"\x80\x02}q\x00.",
        },
    )
    shards = {f"model-0000{n}-of-00002.safetensors": safetensors({f"w{n}": ("F32", [5, n])}) for n in (1, 2)}
    index = json.dumps({"weight_map": {f"w{n}": name for n, name in enumerate(shards)}}).encode()
    push(models["parts"], shards | {"model.safetensors.index.json": index})
    variants = {f"m.{name}.gguf": gguf([("w", (256, numbers), 12)]) for name, numbers in (("Q4_K_M", 2), ("Q8_0", 4))}
    pieces = {f"m-F16-0000{n}-of-00002.gguf": gguf([("w", (64, 32), 1)]) for n in (1, 2)}
    push(models["small"], variants | pieces | {"broken.gguf": b"GGUF" + bytes(8)})
    parts = {
        "unet/diffusion.safetensors": safetensors({"w": ("F16", [10])}),
        "unet/diffusion.fp16.safetensors": safetensors({"w": ("F16", [10])}),
        "vae/diffusion.safetensors": safetensors({"w": ("F32", [3])}),
        "model_index.json": b'{"_class_name": "StableDiffusionPipeline"}',
    }
    push(models["pipe"], parts)

    def shown(name):
        return client.get(f"/api/v1/models/ada/{name}").json["data"]["metadata"]

    numbers = 7008
    whole = shown("whole")
    assert whole == {
        "model_params": round(numbers / 10**9, 6),
        "tensor_type": "BF16",
        "architecture": "LlamaForCausalLM",
        "model_type": "llama",
        "class_name": "LlamaForCausalLM",
        "mini_gpu_memory_gb": 0.0,
        "mini_gpu_finetune_gb": 0.0,
        "quantizations": [],
    }
    full = client.get("/api/v1/models/ada/whole/metadata").json["data"]
    assert (full["weight_bytes"], full["run_bytes"], full["finetune_bytes"]) == (14_032, 16_838, 112_128)
    assert (gib(bytes_to_run(14 * GIB)), gib(bytes_to_finetune(7 * 10**9))) == (16.8, 104.31)
    assert (full["parameters"], full["context_length"], full["vocabulary_size"]) == (numbers, 4096, 32000)
    assert (full["tokenizer_class"], full["quantization_method"]) == ("LlamaTokenizer", "gptq")
    reasons = {file["path"]: file["reason"] for file in full["files"]}
    assert {path for path, reason in reasons.items() if reason} == {"bad.safetensors", "old.pt"}
    assert "107,374,182,400 bytes" in reasons["bad.safetensors"]
    assert "bare pickle" in reasons["old.pt"]
    assert (shown("parts")["model_params"], shown("parts")["tensor_type"]) == (0, "F32")
    small = shown("small")
    assert [(q["name"], q["path"]) for q in small["quantizations"]] == [
        ("Q4_K_M", "m.Q4_K_M.gguf"), ("Q8_0", "m.Q8_0.gguf"), ("F16", "m-F16-00001-of-00002.gguf"),
    ]  # fmt: skip
    assert (small["tensor_type"], small["architecture"]) == ("Q4_K_M", "llama")
    listed = client.get("/api/v1/models/ada/small/quantizations").json
    assert [file["quantization"] for file in listed["data"]] == ["Q4_K_M", "Q8_0", "F16"]
    assert listed["total"] == 3
    assert client.get("/api/v1/models/ada/pipe/metadata").json["data"]["parameters"] == 13
    assert shown("pipe")["class_name"] == "StableDiffusionPipeline"
    assert shown("none")["model_params"] == 0
    assert client.get("/api/v1/models/ada/none/quantizations").json["data"] == []
    # One file's head, in pages.
    head = client.get("/api/v1/models/ada/whole/header/model.safetensors?per=1&page=2").json["data"]
    assert (head["format"], head["total"], head["parameters"]) == ("safetensors", 2, {"BF16": 7000, "F32": 8})
    assert head["tensors"] == [{"name": "b", "dtype": "F32", "shape": [8], "size_bytes": 32}]
    found = client.get("/api/v1/models/ada/whole/header/pytorch_model.bin?search=PKL").json["data"]
    assert [tensor["name"] for tensor in found["tensors"]] == ["m/data.pkl"]
    for path, status, code in (
        ("bad.safetensors", 422, "head_unreadable"),
        ("config.json", 422, "head_unreadable"),
        ("none.gguf", 404, "GIT-ERR-15"),
    ):
        answer = client.get(f"/api/v1/models/ada/whole/header/{path}")
        assert (answer.status_code, answer.json["code"]) == (status, code)


def test_models_are_found_by_their_size(context, client, make_user, make_row, count_queries):
    ada = make_user("ada")
    names = {"whole": 7008, "parts": 15, "pipe": 13, "small": 2048, "none": None}
    ids = {name: make_row(ada, name).id for name in names}
    with unit_of_work(context) as work:
        for name, parameters in names.items():
            row = ModelMetadata(**judge(Found(), []), repository_id=ids[name])
            row.parameters = parameters
            row.brief = Brief.of(row).text
            work.session.add(row)
    for query, found in (
        ("model_params_min=0.000007&model_params_max=0.000008", ["whole"]),
        ("model_params_min=0.00001", []),
        ("model_params_max=0.000005", ["parts", "pipe", "small"]),
        ("model_params_min=9&model_params_max=8", []),
        ("model_params_min=1e300", []),
        ("model_params_min=0&model_params_max=0", sorted(names)),
    ):
        answer = client.get(f"/api/v1/models?{query}")
        assert answer.status_code in (200, 400), query
        if answer.status_code == 200:
            assert sorted(model["name"] for model in answer.json["data"]) == found, query
    counts = []
    for per in (1, 5):
        with count_queries() as queries:
            client.get(f"/api/v1/models?per={per}")
        counts.append(len(queries))
    assert counts[0] == counts[1]
