"""Code that calls the gateway, to be copied. Each runs as printed once the key stands in the environment.

What the playground tries is put into code by its scripts (``playground/code.ts``); this is what pages show of a model
that nobody has asked anything yet, and without scripts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.plugin.web import Snippet, Way, current_context, gettext

# What stands for the name of a model where none is meant.
SOME_MODEL = "MODEL"


@dataclass(frozen=True)
class _Call:
    """A small call. sdk: OpenAI's function; python, script: what they do with the answer; file: what is sent beside.

    into: the file that an answer becomes which is no JSON.
    """

    route: str
    sdk: str
    members: Mapping[str, Any]
    python: str = ""
    script: str = "console.log(await answer.json());"
    file: str = ""
    into: str = ""
    imports: tuple[str, ...] = field(default=())


_CHAT = _Call(
    "chat/completions",
    "chat.completions.create",
    {"messages": [{"role": "user", "content": "Hello!"}]},
    "print(answer.choices[0].message.content)",
    "console.log((await answer.json()).choices[0].message.content);",
)
_EMBEDDINGS = _Call(
    "embeddings",
    "embeddings.create",
    {"input": ["Hello!"]},
    "print(answer.data[0].embedding)",
    "console.log((await answer.json()).data[0].embedding);",
)
_RERANK = _Call("rerank", "", {"query": "Hello?", "documents": ["Good-bye.", "Hello!"]}, "print(answer)")
_IMAGES = _Call(
    "images/generations",
    "images.generate",
    {"prompt": "A cat"},
    'with open("picture.png", "wb") as file:\n    file.write(base64.b64decode(answer.data[0].b64_json))',
    imports=("import base64",),
)
_HEARING = _Call("audio/transcriptions", "audio.transcriptions.create", {}, "print(answer.text)", file="recording.wav")
_SPEECH = _Call("audio/speech", "audio.speech.create", {"input": "Hello!", "voice": "alloy"}, into="speech.mp3")
# By the model's task; any other chats.
_CALLS = {
    "feature-extraction": _EMBEDDINGS,
    "sentence-similarity": _EMBEDDINGS,
    "text-ranking": _RERANK,
    "text-to-image": _IMAGES,
    "image-to-image": _IMAGES,
    "automatic-speech-recognition": _HEARING,
    "text-to-speech": _SPEECH,
    "text-to-audio": _SPEECH,
}

_ANTHROPIC = """\
import os
from anthropic import Anthropic

client = Anthropic(base_url={base}, api_key=os.environ["HUB_API_KEY"])
answer = client.messages.create(
    model={model},
    max_tokens=1024,
    messages=[{{"role": "user", "content": "Hello!"}}],
)
print(answer.content[0].text)
"""


def ways_to_call(model: str = SOME_MODEL, task: str = "") -> list[Way]:
    """With OpenAI's SDK, with Anthropic's where that knows what the model does, in JavaScript, and with curl."""
    code = code_to_call(current_context().settings.effective_base_url.rstrip("/"), model, task)
    key = Snippet("export HUB_API_KEY=gk_…", "sh", gettext("In place of gk_… goes a key of yours."))
    titles = {"openai": "OpenAI", "anthropic": "Anthropic", "javascript": "JavaScript", "curl": "curl"}
    languages = {"javascript": "javascript", "curl": "sh"}
    return [
        Way(name, titles[name], [key, Snippet(words, languages.get(name, "python"))]) for name, words in code.items()
    ]


def code_to_call(site: str, model: str, task: str) -> dict[str, str]:
    """A small call of a model that does this, by the way: "openai", "anthropic", "javascript", "curl"."""
    call = _CALLS.get(task, _CHAT)
    found = {"openai": _python_of(call, site, model)}
    if call is _CHAT:
        found["anthropic"] = _ANTHROPIC.format(base=json.dumps(site), model=json.dumps(model))
    return found | {"javascript": _script_of(call, site, model), "curl": _curl_of(call, site, model)}


def _python_of(call: _Call, site: str, model: str) -> str:
    # JSON and Python write texts, lists and objects alike.
    members = {"model": model, **call.members}
    if call.sdk:
        lines = [f"    {name}={json.dumps(value)}," for name, value in members.items()]
        lines += [f'    file=open("{call.file}", "rb"),'] if call.file else []
        asks = "\n".join([f"client.{call.sdk}(", *lines, ")"])
    else:
        # What the SDK has no function for.
        asks = f'client.post("/{call.route}", cast_to=object, body={json.dumps(members)})'
    head = "\n".join([*call.imports, "import os", "from openai import OpenAI"])
    client = f'client = OpenAI(base_url={json.dumps(f"{site}/v1")}, api_key=os.environ["HUB_API_KEY"])'
    shows = f'answer.write_to_file("{call.into}")' if call.into else call.python
    return f"{head}\n\n{client}\nanswer = {asks}\n{shows}\n"


def _script_of(call: _Call, site: str, model: str) -> str:
    url, members = json.dumps(f"{site}/v1/{call.route}"), {"model": model, **call.members}
    key = 'Authorization: "Bearer " + process.env.HUB_API_KEY'
    head = 'import fs from "node:fs";\n\n' if call.file or call.into else ""
    if call.file:
        sets = [f"form.set({json.dumps(name)}, {json.dumps(value)});" for name, value in members.items()]
        form = [
            "const form = new FormData();",
            *sets,
            f'form.set("file", await fs.openAsBlob("{call.file}"), "{call.file}");',
        ]
        asked = f'{{\n    method: "POST",\n    headers: {{ {key} }},\n    body: form,\n}}'
        head += "\n".join(form) + "\n"
    else:
        headers = f'{{ "Content-Type": "application/json", {key} }}'
        body = f"JSON.stringify({json.dumps(members)})"
        asked = f'{{\n    method: "POST",\n    headers: {headers},\n    body: {body},\n}}'
    shows = f'fs.writeFileSync("{call.into}", Buffer.from(await answer.arrayBuffer()));' if call.into else call.script
    return f"{head}const answer = await fetch({url}, {asked});\n{shows}\n"


def _curl_of(call: _Call, site: str, model: str) -> str:
    members = {"model": model, **call.members}
    lines = [f"curl {site}/v1/{call.route}", '-H "Authorization: Bearer $HUB_API_KEY"']
    if call.file:
        lines += [f"-F {_quote(f'{name}={value}')}" for name, value in members.items()] + [f"-F file=@{call.file}"]
    else:
        lines += ["-H 'Content-Type: application/json'", f"-d {_quote(json.dumps(members))}"]
    lines += [f"-o {call.into}"] if call.into else []
    return " \\\n  ".join(lines) + "\n"


def _quote(words: str) -> str:
    """One word of a shell."""
    return "'" + words.replace("'", "'\\''") + "'"
