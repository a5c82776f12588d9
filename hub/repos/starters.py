"""What a new repository holds before anybody has pushed to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PLAIN_YAML = re.compile(r"[A-Za-z][A-Za-z0-9._+-]*\Z")
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


@dataclass(frozen=True)
class NewRepository:
    """What is known of a repository when its first files are written.

    details: the members that only its kind has, as they were given (a space's ``sdk``).
    """

    namespace: str
    name: str
    license: str = ""
    description: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def card(new: NewRepository, **front_matter: str) -> bytes:
    """A README.md: front matter with the licence and the given members, a title and the description."""
    members = {"license": new.license, **front_matter}
    lines = [f"{name}: {_yaml_text(value)}" for name, value in members.items() if value]
    head = ["---", *lines, "---", ""] if lines else []
    body = [f"# {new.name}", ""] + ([new.description, ""] if new.description else [])
    return "\n".join([*head, *body]).encode()


def card_only(new: NewRepository) -> dict[str, bytes]:
    """A README.md and nothing else."""
    return {"README.md": card(new)}


def _yaml_text(value: str) -> str:
    # A JSON string is a YAML double-quoted scalar.
    is_plain = _PLAIN_YAML.match(value) and value.lower() not in _YAML_WORDS
    return value if is_plain else json.dumps(value, ensure_ascii=False)


_GRADIO_APP = b"""\
import gradio as gr


def greet(name):
    return f"Hello {name}!"


demo = gr.Interface(fn=greet, inputs="text", outputs="text")

if __name__ == "__main__":
    demo.launch()
"""

_STREAMLIT_APP = b"""\
import streamlit as st

name = st.text_input("Your name")
if name:
    st.write(f"Hello {name}!")
"""

_DOCKERFILE = b"""\
FROM python:3.11-slim
WORKDIR /app
COPY . .
EXPOSE 8080
CMD ["python", "-m", "http.server", "8080"]
"""

_NGINX_CONFIGURATION = b"""\
server {
    listen 8080;
    root /usr/share/nginx/html;
    index index.html;
}
"""

_INDEX_PAGE = b"""\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A new space</title></head>
<body><h1>Hello!</h1></body>
</html>
"""

_MCP_APP = b"""\
from mcp.server.fastmcp import FastMCP

server = FastMCP("demo", host="0.0.0.0", port=8080)


@server.tool()
def add(first: int, second: int) -> int:
    \"\"\"The sum of two numbers.\"\"\"
    return first + second


if __name__ == "__main__":
    server.run(transport="streamable-http")
"""

# Files by SDK. The names of the SDKs come from the CSGHub contract, section 5.1.
SPACE_FILES: Mapping[str, Mapping[str, bytes]] = {
    "gradio": {"app.py": _GRADIO_APP, "requirements.txt": b"gradio\n"},
    "streamlit": {"app.py": _STREAMLIT_APP, "requirements.txt": b"streamlit\n"},
    "docker": {"Dockerfile": _DOCKERFILE, "index.html": _INDEX_PAGE},
    "nginx": {"nginx.conf": _NGINX_CONFIGURATION, "index.html": _INDEX_PAGE},
    "mcp_server": {"app.py": _MCP_APP, "requirements.txt": b"mcp<2\n"},
}
# The SDK's large-folder upload creates spaces without naming one. Source: CSGHub contract, section 2.5 (c).
DEFAULT_SPACE_SDK = "gradio"


def space_files(new: NewRepository) -> dict[str, bytes]:
    """The README.md and the starter files of the space's SDK."""
    sdk = new.details.get("sdk", DEFAULT_SPACE_SDK)
    return {"README.md": space_card(new), **SPACE_FILES[sdk]}


def space_card(new: NewRepository, *, sdk_word: str = "") -> bytes:
    """The README.md of a space. sdk_word: what its SDK is called there; "": as here."""
    sdk = new.details.get("sdk", DEFAULT_SPACE_SDK)
    entry = {"app_file": "app.py"} if "app.py" in SPACE_FILES[sdk] else {}
    return card(new, sdk=sdk_word or sdk, **entry)
