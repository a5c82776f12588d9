"""Whether the metadata at the head of a ``README.md`` can be read."""

from __future__ import annotations

import re

_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
MAX_FRONT_CHARS = 256 * 1024


def find_faults(text: str) -> tuple[list[str], list[str]]:
    """(errors, warnings), a sentence each, for the text of a README.md."""
    # Deliberately here: few requests look at a card.
    import yaml

    match = _FRONT.match(text)
    if match is None:
        return [], ["The card has no metadata: a block of YAML between two lines of '---' at its head."]
    if len(match[1]) > MAX_FRONT_CHARS:
        return [f"The metadata has more than {MAX_FRONT_CHARS} characters."], []
    try:
        found = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 2})" if mark is not None else ""
        return [f"The metadata is no valid YAML{where}: {getattr(error, 'problem', None) or 'it cannot be read'}."], []
    except (RecursionError, ValueError) as error:
        return [f"The metadata cannot be read: {error}."], []
    if found is None:
        return [], ["The card's metadata is empty."]
    if not isinstance(found, dict):
        return ["The metadata must be members with names, such as 'license: mit'."], []
    return [], []
