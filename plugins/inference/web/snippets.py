"""Code that calls the gateway, to be copied. Each runs as printed once the key stands in the environment."""

from __future__ import annotations

import json

from hub.plugin.web import Snippet, Way, current_context, gettext

# What stands for the name of a model where none is meant.
SOME_MODEL = "MODEL"

_OPENAI = """\
import os
from openai import OpenAI

client = OpenAI(base_url={base}, api_key=os.environ["HUB_API_KEY"])
answer = client.chat.completions.create(
    model={model},
    messages=[{{"role": "user", "content": "Hello!"}}],
)
print(answer.choices[0].message.content)
"""
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
_CURL = """\
curl {base}/chat/completions \\
  -H "Authorization: Bearer $HUB_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{{"model": {model}, "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""


def ways_to_call(model: str = SOME_MODEL) -> list[Way]:
    """With OpenAI's SDK, with Anthropic's, and with curl."""
    site = current_context().settings.effective_base_url.rstrip("/")
    name = json.dumps(model)
    key = Snippet("export HUB_API_KEY=gk_…", "sh", gettext("In place of gk_… goes a key of yours."))
    openai = _OPENAI.format(base=json.dumps(f"{site}/v1"), model=name)
    anthropic = _ANTHROPIC.format(base=json.dumps(site), model=name)
    curl = _CURL.format(base=f"{site}/v1", model=name.replace("'", "'\\''"))
    return [
        Way("openai", "OpenAI", [key, Snippet(openai, "python")]),
        Way("anthropic", "Anthropic", [key, Snippet(anthropic, "python")]),
        Way("curl", "curl", [key, Snippet(curl, "sh")]),
    ]
