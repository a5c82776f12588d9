"""Labels that a repository's files bring by their names. Source: CSGHub contract, section 7, step 9b."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from hub.assets.indexing import IndexRun
from hub.assets.models import TagOrigin
from hub.assets.service.labels import set_card_labels
from hub.base.offload import offload
from hub.db.uow import unit_of_work
from hub.git import tree
from hub.repos.lookup import repository_path
from hub.repos.models import Repository

KINDS = frozenset({"model", "dataset", "prompt"})
# A tree that is larger is looked at as far as this.
MAX_WALKED = 1_000_000

_FRAMEWORKS = {
    "safetensors": "safetensors",
    "pt": "pytorch",
    "pth": "pytorch",
    "ckpt": "pytorch",
    "onnx": "onnx",
    "pdparams": "paddlepaddle",
    "pdiparams": "paddlepaddle",
    "joblib": "joblib",
    "gguf": "gguf",
}
_NAMED = (
    (re.compile(r"pytorch_model[^/]*\.bin\Z"), "pytorch"),
    (re.compile(r"tf_model[^/]*\.h5\Z"), "tensorflow"),
    (re.compile(r"flax_model[^/]*\.msgpack\Z"), "jax"),
)


def framework_of(path: str) -> str | None:
    """The framework that a file of this name is of, or None."""
    name = path.rpartition("/")[2].lower()
    found = _FRAMEWORKS.get(name.rpartition(".")[2]) if "." in name else None
    return found or next((framework for pattern, framework in _NAMED if pattern.match(name)), None)


def read_names(run: IndexRun) -> None:
    """The indexer: let the labels that files bring be those of the files at the commit."""
    found = (
        offload(frameworks_in, repository_path(run.context.settings, run.repository), run.commit_id)
        if run.commit_id
        else set()
    )
    with unit_of_work(run.context) as work:
        repository = work.session.get(Repository, run.repository.id)
        if repository is not None:
            labels = [("framework", name) for name in sorted(found)]
            set_card_labels(work, repository=repository, labels=labels, origin=TagOrigin.FILES)
        run.finish(work)


def frameworks_in(path: Path, commit_id: str) -> set[str]:
    """The frameworks that a commit's files are of."""
    found: set[str] = set()
    tree.select_files(path, commit_id, _noting(found), limit=1, max_walked=MAX_WALKED)
    return found


def _noting(found: set[str]) -> Callable[[str], bool]:
    def note(path: str) -> bool:
        framework = framework_of(path)
        if framework is not None:
            found.add(framework)
        return False

    return note
