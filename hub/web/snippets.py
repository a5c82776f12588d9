"""Commands and code to be copied: how to get a repository, put something into it, and use it. Each runs as printed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from flask_babel import gettext
from markupsafe import Markup

from hub.web.highlight import highlight
from hub.web.repository import RepositoryPage

# What csghub-sdk and huggingface_hub call the kinds; of those that are absent they know nothing.
_SDK_TYPES = {"model": "model", "dataset": "dataset", "space": "space", "code": "code"} | {
    "mcpserver": "mcp",
    "skill": "skill",
}
_HF_TYPES = ("model", "dataset", "space")
_TOKEN = "YOUR_TOKEN"  # noqa: S105 - stands for one


@dataclass(frozen=True)
class Snippet:
    """One block to copy. language: for its colours: "sh" or "python". about: what it is, in a sentence."""

    text: str
    language: str = "sh"
    about: str = ""

    @property
    def html(self) -> Markup:
        """The text in colours."""
        return Markup("\n").join(highlight(self.text, language=self.language))


@dataclass(frozen=True)
class Way:
    """One way to do it. name: for tests and addresses."""

    name: str
    title: str
    snippets: Sequence[Snippet]


def ways_to_download(repo: RepositoryPage, *, site: str, revision: str, pattern: str, first_file: str) -> list[Way]:
    """How to get the repository's files. site: the hub's address. pattern: "" for all, else only those, as a glob."""
    http, ssh = repo.clone_urls
    found = [
        Way("https", gettext("Git HTTPS"), [*_clone(repo, http, pattern)]),
        Way("ssh", gettext("Git SSH"), [*_clone(repo, ssh, pattern)]),
    ]
    if repo.kind.name in _SDK_TYPES:
        found += [
            Way("sdk", "csghub-sdk", [Snippet(_sdk_code(repo, site, revision, pattern), "python")]),
            Way("cli", "csghub-cli", [Snippet(_sdk_command(repo, site, revision, pattern))]),
        ]
    if repo.kind.name in _HF_TYPES:
        found.append(Way("huggingface", "huggingface_hub", [*_huggingface(repo, site, revision, pattern)]))
    if first_file:
        found.append(Way("curl", gettext("One file"), [Snippet(_curl(repo, site, revision, first_file))]))
    return found


def _needs_token(repo: RepositoryPage) -> bool:
    return bool(repo.shown.is_private or repo.shown.gate)


def _env(repo: RepositoryPage, token_name: str, **values: str) -> list[str]:
    if _needs_token(repo):
        values[token_name] = _TOKEN
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def _clone(repo: RepositoryPage, url: str, pattern: str) -> Iterator[Snippet]:
    name, url = shlex.quote(repo.shown.name), shlex.quote(url)
    if pattern:
        lines = [
            "git lfs install",
            f"git clone --no-checkout --filter=blob:none {url}",
            f"cd {name}",
            f"git sparse-checkout set --no-cone {shlex.quote(pattern)}",
            "git checkout",
        ]
        yield Snippet("\n".join(lines), about=gettext("Only the files that the pattern names"))
        return
    yield Snippet(f"git lfs install\ngit clone {url}", about=gettext("Everything, with its history"))
    lines = [f"GIT_LFS_SKIP_SMUDGE=1 git clone {url}", f"cd {name}", 'git lfs pull --include "*"']
    yield Snippet("\n".join(lines), about=gettext("Small files first, the large ones when you want them"))


def _options(pattern: str) -> str:
    return f" --allow-patterns {shlex.quote(pattern)}" if pattern else ""


def _sdk_command(repo: RepositoryPage, site: str, revision: str, pattern: str) -> str:
    kind = _SDK_TYPES[repo.kind.name]
    of_kind = "" if kind == "model" else f" -t {kind}"
    at = "" if revision == "main" else f" --revision {shlex.quote(revision)}"
    name = shlex.quote(repo.shown.name)
    return "\n".join(
        [
            "pip install csghub-sdk",
            *_env(repo, "CSGHUB_TOKEN", CSGHUB_DOMAIN=site),
            f"csghub-cli download {repo.path}{of_kind}{at} --local-dir {name}{_options(pattern)}",
        ]
    )


def _sdk_code(repo: RepositoryPage, site: str, revision: str, pattern: str) -> str:
    arguments = [
        json.dumps(repo.path),
        f"repo_type={json.dumps(_SDK_TYPES[repo.kind.name])}",
        *([] if revision == "main" else [f"revision={json.dumps(revision)}"]),
        f"local_dir={json.dumps(repo.shown.name)}",
        f"endpoint={json.dumps(site)}",
        *([f"token={json.dumps(_TOKEN)}"] if _needs_token(repo) else []),
        *([f"allow_patterns=[{json.dumps(pattern)}]"] if pattern else []),
    ]
    inside = "".join(f"    {argument},\n" for argument in arguments)
    return f"from pycsghub.snapshot_download import snapshot_download\n\npath = snapshot_download(\n{inside})"


def _huggingface(repo: RepositoryPage, site: str, revision: str, pattern: str) -> Iterator[Snippet]:
    kind = repo.kind.name
    of_kind = "" if kind == "model" else f" --repo-type {kind}"
    at = "" if revision == "main" else f" --revision {shlex.quote(revision)}"
    include = f" --include {shlex.quote(pattern)}" if pattern else ""
    command = f"hf download {repo.path}{of_kind}{at} --local-dir {shlex.quote(repo.shown.name)}{include}"
    lines = ["pip install huggingface_hub", *_env(repo, "HF_TOKEN", HF_ENDPOINT=f"{site}/hf"), command]
    yield Snippet("\n".join(lines))
    arguments = [
        json.dumps(repo.path),
        *([] if kind == "model" else [f"repo_type={json.dumps(kind)}"]),
        *([] if revision == "main" else [f"revision={json.dumps(revision)}"]),
        *([f"allow_patterns={json.dumps(pattern)}"] if pattern else []),
    ]
    code = f"path = snapshot_download({', '.join(arguments)})"
    yield Snippet(f"{_python_head(repo, site)}from huggingface_hub import snapshot_download\n\n{code}", "python")


def _python_head(repo: RepositoryPage, site: str) -> str:
    token = f'os.environ["HF_TOKEN"] = {json.dumps(_TOKEN)}\n' if _needs_token(repo) else ""
    return f'import os\n\nos.environ["HF_ENDPOINT"] = {json.dumps(f"{site}/hf")}\n{token}'


def _curl(repo: RepositoryPage, site: str, revision: str, path: str) -> str:
    url = f"{site}{repo.api}/resolve/{quote(path)}?ref={quote(revision, safe='')}"
    head = f'-H "Authorization: Bearer {_TOKEN}" ' if _needs_token(repo) else ""
    return f"curl -L {head}-o {shlex.quote(path.rpartition('/')[2])} {shlex.quote(url)}"


# Putting the first files into it.


def ways_to_fill(repo: RepositoryPage, *, site: str, has_xet: bool) -> list[Way]:
    """How to put files into a repository that has none yet. has_xet: whether clients can send them by Xet."""
    http, _ssh = repo.clone_urls
    name, url = shlex.quote(repo.shown.name), shlex.quote(http)
    branch = shlex.quote(repo.shown.default_branch)
    push = ["git lfs install", f"git clone {url}", f"cd {name}"]
    push += ["# copy your files into this folder", "git add .", 'git commit -m "First files"']
    push += [f"git push origin {branch}"]
    there = ["cd your-project", "git lfs install", f"git remote add hub {url}", f"git push hub HEAD:{branch} --force"]
    found = [
        Way(
            "git",
            "Git",
            [
                Snippet("\n".join(push), about=gettext("Your user name and an access token as the password")),
                Snippet("\n".join(there), about=gettext("A repository that you have already")),
            ],
        )
    ]
    kind = repo.kind.name
    # Else huggingface_hub, and csghub-sdk by it, know no other way for large files than Xet.
    plain = [] if has_xet else ["export HF_HUB_DISABLE_XET=1"]
    if kind in _SDK_TYPES:
        of_kind = "" if kind == "model" else f" -t {_SDK_TYPES[kind]}"
        lines = ["pip install csghub-sdk", f"export CSGHUB_DOMAIN={shlex.quote(site)}"]
        lines += [f"export CSGHUB_TOKEN={_TOKEN}", *plain]
        found.append(
            Way("cli", "csghub-sdk", [Snippet("\n".join([*lines, f"csghub-cli upload {repo.path} ./folder{of_kind}"]))])
        )
    if kind in _HF_TYPES:
        of_kind = "" if kind == "model" else f" --repo-type {kind}"
        lines = ["pip install huggingface_hub", f"export HF_ENDPOINT={shlex.quote(site)}/hf"]
        lines += [f"export HF_TOKEN={_TOKEN}", *plain]
        upload = f"hf upload {repo.path} ./folder .{of_kind}"
        found.append(Way("huggingface", "huggingface_hub", [Snippet("\n".join([*lines, upload]))]))
    return found


# Using it.


def ways_to_use(
    repo: RepositoryPage, *, site: str, metadata: Mapping[str, object], names: Iterable[str], gguf: str
) -> list[Way]:
    """How programs load it, those first that fit best. gguf: the path of a file in that format, "" without one.

    names: of the files in its root.
    """
    if repo.kind.name == "dataset":
        return [_datasets(repo, site)]
    if repo.kind.name != "model":
        return []
    files = set(names)
    library = str(metadata.get("library_name") or "").lower()
    task = str(metadata.get("pipeline_tag") or "")
    found: list[Way] = []
    if library == "diffusers" or "model_index.json" in files:
        found.append(_diffusers(repo, site))
    if library == "sentence-transformers" or "modules.json" in files:
        found.append(_sentence_transformers(repo, site))
    is_transformers = library == "transformers" or (not found and "config.json" in files)
    if is_transformers:
        found.append(_transformers(repo, site, task))
    if is_transformers and task in ("", "text-generation", "image-text-to-text"):
        found += [_server(repo, site, "vllm", "vLLM"), _server(repo, site, "sglang", "SGLang")]
        found.append(_server(repo, site, "tgi", "TGI"))
    if gguf:
        found.append(_llama_cpp(repo, site, gguf))
    return found or [Way("files", "huggingface_hub", [*_huggingface(repo, site, "main", "")])]


def _datasets(repo: RepositoryPage, site: str) -> Way:
    code = f"from datasets import load_dataset\n\nrows = load_dataset({json.dumps(repo.path)})\nprint(rows)"
    stream = (
        f"from datasets import load_dataset\n\nrows = load_dataset({json.dumps(repo.path)}, streaming=True)\n"
        "split = next(iter(rows))\nprint(next(iter(rows[split])))"
    )
    head = _python_head(repo, site)
    return Way(
        "datasets",
        "datasets",
        [
            Snippet("pip install datasets"),
            Snippet(head + code, "python"),
            Snippet(head + stream, "python", gettext("Row by row, without downloading everything first")),
        ],
    )


def _transformers(repo: RepositoryPage, site: str, task: str) -> Way:
    head, path = _python_head(repo, site), json.dumps(repo.path)
    snippets = [Snippet("pip install transformers torch")]
    if task:
        code = f"from transformers import pipeline\n\npipe = pipeline({json.dumps(task)}, model={path})"
        if task == "text-generation":
            code += '\nprint(pipe("The capital of France is", max_new_tokens=20)[0]["generated_text"])'
        snippets.append(Snippet(head + code, "python", gettext("A pipeline for its task")))
    loader = "AutoModelForCausalLM" if task in ("", "text-generation") else "AutoModel"
    code = (
        f"from transformers import AutoTokenizer, {loader}\n\ntokenizer = AutoTokenizer.from_pretrained({path})\n"
        f"model = {loader}.from_pretrained({path})"
    )
    snippets.append(Snippet(head + code, "python", gettext("The model itself")))
    return Way("transformers", "transformers", snippets)


def _diffusers(repo: RepositoryPage, site: str) -> Way:
    path = json.dumps(repo.path)
    code = (
        f"from diffusers import DiffusionPipeline\n\npipe = DiffusionPipeline.from_pretrained({path})\n"
        'image = pipe("An astronaut riding a horse").images[0]'
    )
    snippets = [Snippet("pip install diffusers transformers accelerate")]
    return Way("diffusers", "diffusers", [*snippets, Snippet(_python_head(repo, site) + code, "python")])


def _sentence_transformers(repo: RepositoryPage, site: str) -> Way:
    code = (
        "from sentence_transformers import SentenceTransformer\n\n"
        f"model = SentenceTransformer({json.dumps(repo.path)})\n"
        'vectors = model.encode(["One sentence", "Another one"])\nprint(model.similarity(vectors, vectors))'
    )
    snippets = [Snippet("pip install sentence-transformers"), Snippet(_python_head(repo, site) + code, "python")]
    return Way("sentence-transformers", "sentence-transformers", snippets)


def _server(repo: RepositoryPage, site: str, name: str, title: str) -> Way:
    env = _env(repo, "HF_TOKEN", HF_ENDPOINT=f"{site}/hf")
    port = 8000
    match name:
        case "vllm":
            lines = ["pip install vllm", *env, f"vllm serve {repo.path}"]
        case "sglang":
            port = 30000
            lines = ["pip install 'sglang[all]'", *env]
            lines.append(f"python -m sglang.launch_server --model-path {repo.path} --port {port}")
        case _:
            passed = " ".join(f"-e {line.removeprefix('export ')}" for line in env)
            image = "ghcr.io/huggingface/text-generation-inference:latest"
            lines = [f"docker run --gpus all -p {port}:80 {passed} {image} --model-id {repo.path}"]
    ask = (
        f"curl http://localhost:{port}/v1/chat/completions -H 'Content-Type: application/json' \\\n"
        f'  -d \'{{"model": "{repo.path}", "messages": [{{"role": "user", "content": "Hello"}}]}}\''
    )
    return Way(name, title, [Snippet("\n".join(lines)), Snippet(ask, about=gettext("Then ask it"))])


def _llama_cpp(repo: RepositoryPage, site: str, path: str) -> Way:
    name = shlex.quote(repo.shown.name)
    lines = ["pip install huggingface_hub", *_env(repo, "HF_TOKEN", HF_ENDPOINT=f"{site}/hf")]
    lines.append(f"hf download {repo.path} {shlex.quote(path)} --local-dir {name}")
    lines.append(f"llama-cli -m {name}/{shlex.quote(path)} -p 'The capital of France is'")
    return Way("llama.cpp", "llama.cpp", [Snippet("\n".join(lines))])
