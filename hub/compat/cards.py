"""Whether the metadata at the head of a ``README.md`` can be read."""

from __future__ import annotations

from hub.base.frontmatter import UnreadableError, find_head, load_yaml

MAX_FRONT_CHARS = 256 * 1024


def find_faults(text: str) -> tuple[list[str], list[str]]:
    """(errors, warnings), a sentence each, for the text of a README.md."""
    head = find_head(text)
    if head is None:
        return [], ["The card has no metadata: a block of YAML between two lines of '---' at its head."]
    if len(head) > MAX_FRONT_CHARS:
        return [f"The metadata has more than {MAX_FRONT_CHARS} characters."], []
    try:
        found = load_yaml(head)
    except UnreadableError as error:
        # The line of dashes is the first.
        where = f" (line {error.line + 1})" if error.line is not None else ""
        return [f"The metadata is no valid YAML{where}: {error}."], []
    if found is None:
        return [], ["The card's metadata is empty."]
    if not isinstance(found, dict):
        return ["The metadata must be members with names, such as 'license: mit'."], []
    return [], []
