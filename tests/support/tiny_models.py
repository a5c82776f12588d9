"""Models of a few thousand numbers as transformers saves them: an encoder of sentences, and a judge of pairs.

``python -m tests.support.tiny_models`` makes them, once; they are kept between runs.
"""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from tests.support.assets import cache_path
from tests.support.huggingface import HuggingFace

# The words are letters, so that no two texts of a test have the same tokens by chance.
_MAKE = """
import json, pathlib, torch
from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizerFast

torch.manual_seed(0)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
words += [chr(code) for code in range(97, 123)] + ["##" + chr(code) for code in range(97, 123)]
shape = dict(vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=37,
    max_position_embeddings=64)
for name, cls, more in (("encoder", BertModel, {}), ("judge", BertForSequenceClassification, {"num_labels": 1})):
    folder = pathlib.Path(given["target"]) / name
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\\n".join(words))
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    cls(BertConfig(**shape, **more)).save_pretrained(folder)
encoder = pathlib.Path(given["target"]) / "encoder"
(encoder / "1_Pooling").mkdir()
(encoder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
(encoder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Transformer"},
    {"type": "sentence_transformers.models.Pooling"}, {"type": "sentence_transformers.models.Normalize"}]))
"""


def tiny_models() -> Path:
    """A folder with ``encoder`` and ``judge``; made when it is not there yet."""
    target = cache_path() / "tiny-models"
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            draft = cache_path() / "tiny-models.draft"
            shutil.rmtree(draft, ignore_errors=True)
            client = HuggingFace(draft / "home", "http://127.0.0.1:9", line="transformers")
            client = client.with_(environment={"HF_HUB_OFFLINE": "1"})
            client.python(_MAKE, target=draft / "models", timeout_s=300)
            (draft / "models").replace(target)
            shutil.rmtree(draft)
    return target


if __name__ == "__main__":
    tiny_models()
