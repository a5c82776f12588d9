"""A model as transformers saves one: OpenAI's chat, completions and embeddings, and rerank.

Run by an environment that has torch and transformers (``launch.py``). Only safetensors are read, no code of the model's
is run, nothing is fetched.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plugins.inference.servers.asking import Ended, Pieces, Refused, number_of, plain_messages, stops_of
from plugins.inference.servers.serving import Server, serve

ROUTES = {
    "text-generation": frozenset({"chat/completions", "completions"}),
    "feature-extraction": frozenset({"embeddings"}),
    "text-ranking": frozenset({"rerank"}),
}
BATCH = 16
# As sentence-transformers writes them; where none is said, the mean.
_POOLINGS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


class Model:
    """What was loaded: a language model, an encoder of sentences, or a judge of pairs."""

    def __init__(self, options: argparse.Namespace) -> None:
        import torch
        import transformers

        self.torch, folder = torch, options.model
        self.routes = ROUTES[options.task]
        torch.set_num_threads(options.threads or int(os.environ.get("OMP_NUM_THREADS") or 0) or os.cpu_count() or 1)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        known = {"local_files_only": True, "trust_remote_code": options.trust_remote_code}
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **known)
        dtype = options.dtype or ("auto" if self.device == "cuda" else "float32")
        loader = {
            "text-generation": transformers.AutoModelForCausalLM,
            "feature-extraction": transformers.AutoModel,
            "text-ranking": transformers.AutoModelForSequenceClassification,
        }[options.task]
        self.model = loader.from_pretrained(folder, dtype=dtype, use_safetensors=True, **known).to(self.device).eval()
        self.pooling, self.is_normal = pooling_of(Path(folder)) if options.task == "feature-extraction" else ("", False)
        config = self.model.config.get_text_config()
        limits = [getattr(config, "max_position_embeddings", None), self.tokenizer.model_max_length]
        found = [limit for limit in (*limits, options.context or None) if isinstance(limit, int) and 0 < limit < 10**9]
        self.context = min(found, default=4096)
        ends = self.model.generation_config.eos_token_id if options.task == "text-generation" else None
        self.ends = {ends} if isinstance(ends, int) else set(ends or ())
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    # Texts.

    def prompt_of(self, asked: Mapping[str, Any], *, is_chat: bool) -> list[int]:
        """The tokens to go on from. Raises Refused."""
        if not is_chat:
            prompt = asked.get("prompt")
            prompt = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 and prompt[0] != [] else prompt
            if isinstance(prompt, list) and prompt and all(type(token) is int for token in prompt):
                return self._known(prompt)
            if not isinstance(prompt, str):
                raise Refused(400, "'prompt' must be a text, or tokens.")
            tokens: list[int] = self.tokenizer(prompt)["input_ids"]
            return tokens
        if not self.tokenizer.chat_template:
            raise Refused(400, "The model has no chat template; ask /v1/completions.", code="no_chat_template")
        messages = plain_messages(asked.get("messages"))
        try:
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # a template raises what it likes
            raise Refused(400, f"The model's chat template refuses these messages: {error}") from None
        chat: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return chat

    def _known(self, tokens: list[int]) -> list[int]:
        if not all(0 <= token < len(self.tokenizer) for token in tokens):
            raise Refused(400, "The model does not know these tokens.")
        return tokens

    def generate(self, prompt: list[int], asked: Mapping[str, Any], say: Callable[[str], None]) -> tuple[int, str]:
        """Say what follows on a prompt; how many tokens that were, and why it ended. Raises whatever ``say`` does."""
        room = self.context - len(prompt)
        if not prompt or room < 1:
            message = f"The prompt has {len(prompt)} tokens; the model takes from 1 to {self.context - 1}."
            raise Refused(400, message, code="context_length_exceeded")
        wanted = asked.get("max_completion_tokens") or asked.get("max_tokens")
        most = min(room, number_of({"max_tokens": wanted}, "max_tokens", room, 1, 2**31))
        temperature = number_of(asked, "temperature", 1.0, 0, 2)
        top_p, top_k = number_of(asked, "top_p", 1.0, 0, 1), number_of(asked, "top_k", 0, 0, 2**31)
        settings: dict[str, Any] = {"do_sample": temperature > 0, "max_new_tokens": int(most)}
        if temperature > 0:
            settings |= {"temperature": temperature, "top_p": top_p or 1e-6, "top_k": int(top_k)}
        frequency, presence = (number_of(asked, f"{name}_penalty", 0, -2, 2) for name in ("frequency", "presence"))
        if asked.get("seed") is not None:
            self.torch.manual_seed(int(number_of(asked, "seed", 0, -(2**63), 2**63 - 1)))
        pieces = Pieces(lambda tokens: self.tokenizer.decode(tokens, skip_special_tokens=True), stops_of(asked))
        made: list[int] = []
        ids = self.torch.tensor([prompt], device=self.device)
        model = self

        class Streamer:
            """What ``generate`` tells of each token: the prompt first."""

            is_first = True

            def put(self, value: Any) -> None:
                if self.is_first:
                    self.is_first = False
                    return
                made.append(int(value.reshape(-1)[0]))
                say(pieces.add(made[-1]) if made[-1] not in model.ends else "")
                if pieces.is_stopped:
                    raise Ended

            def end(self) -> None:
                """There is nothing to close."""

        def punish(_ids: Any, scores: Any) -> Any:
            for token, count in Counter(made).items():
                scores[0, token] -= frequency * count + presence
            return scores

        processors = [punish] if frequency or presence else []
        with self.torch.inference_mode(), contextlib.suppress(Ended):
            self.model.generate(
                ids,
                attention_mask=self.torch.ones_like(ids),
                pad_token_id=self.tokenizer.pad_token_id,
                streamer=Streamer(),
                logits_processor=processors,
                **settings,
            )
        say(pieces.end())
        is_stop = pieces.is_stopped or (bool(made) and made[-1] in self.ends)
        return len(made), "stop" if is_stop else "length"

    # Numbers.

    def embed(self, inputs: Sequence[Any], look: Callable[[], None]) -> tuple[list[list[float]], int]:
        """A vector for each input, and how many tokens they have. Raises Refused, and whatever ``look`` does."""
        tokens = [self._known(one) if isinstance(one, list) else self.tokenizer(one)["input_ids"] for one in inputs]
        vectors: list[list[float]] = []
        for batch, mask in self._batches(tokens, look):
            with self.torch.inference_mode():
                hidden = self.model(input_ids=batch, attention_mask=mask).last_hidden_state.float()
            vectors += self._pooled(hidden, mask).tolist()
        return vectors, sum(map(len, tokens))

    def _pooled(self, hidden: Any, mask: Any) -> Any:
        wide = mask.unsqueeze(-1).to(hidden.dtype)
        if self.pooling == "cls":
            found = hidden[:, 0]
        elif self.pooling == "max":
            found = hidden.masked_fill(wide == 0, -1e9).max(dim=1).values
        elif self.pooling == "lasttoken":
            found = hidden[self.torch.arange(len(hidden)), mask.sum(dim=1) - 1]
        else:
            found = (hidden * wide).sum(dim=1) / wide.sum(dim=1).clamp(min=1)
        return self.torch.nn.functional.normalize(found, dim=-1) if self.is_normal else found

    def _batches(self, tokens: Sequence[list[int]], look: Callable[[], None]) -> Iterator[tuple[Any, Any]]:
        for one in tokens:
            if not 0 < len(one) <= self.context:
                message = f"An input has {len(one)} tokens; the model takes from 1 to {self.context}."
                raise Refused(400, message, code="context_length_exceeded")
        for start in range(0, len(tokens), BATCH):
            look()
            part = tokens[start : start + BATCH]
            longest = max(map(len, part))
            pad = self.tokenizer.pad_token_id or 0
            ids = [one + [pad] * (longest - len(one)) for one in part]
            mask = [[1] * len(one) + [0] * (longest - len(one)) for one in part]
            yield self.torch.tensor(ids, device=self.device), self.torch.tensor(mask, device=self.device)

    def rank(self, query: str, documents: Sequence[str], look: Callable[[], None]) -> tuple[list[float], int]:
        """How well each document answers, from 0 to 1, and how many tokens the pairs have. Raises as ``embed``."""
        tokens = [self.tokenizer(query, document)["input_ids"] for document in documents]
        scores: list[float] = []
        for batch, mask in self._batches(tokens, look):
            with self.torch.inference_mode():
                scores += self.model(input_ids=batch, attention_mask=mask).logits[:, -1].float().sigmoid().tolist()
        return scores, sum(map(len, tokens))


def pooling_of(folder: Path) -> tuple[str, bool]:
    """How vectors of words become one ("mean", "cls", "max", "lasttoken"), and whether it has length 1.

    As the folder of sentence-transformers says; without such, the mean, of length 1.
    """
    try:
        modules = json.loads((folder / "modules.json").read_bytes())
        config = json.loads((folder / "1_Pooling" / "config.json").read_bytes())
        kinds = {
            "cls": "pooling_mode_cls_token",
            "max": "pooling_mode_max_tokens",
            "lasttoken": "pooling_mode_lasttoken",
        }
        pooling = next((name for name, key in kinds.items() if config.get(key) is True), config.get("pooling_mode"))
        is_normal = any(str(module.get("type", "")).endswith(".Normalize") for module in modules)
        return pooling, is_normal
    except (OSError, ValueError, AttributeError, TypeError):
        return "mean", True


def main(arguments: list[str]) -> int:
    """Serve until told to stop; the exit status."""
    parser = argparse.ArgumentParser(prog="transformers", allow_abbrev=False)
    parser.add_argument("--model", required=True, help="the folder")
    parser.add_argument("--name", required=True, help="what callers call the model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--task", choices=sorted(ROUTES), default="text-generation")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16", "auto"), default="")
    parser.add_argument("--context", type=int, default=0, help="longest prompt and answer together, in tokens")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--waiting", type=int, default=32, help="how many requests may wait")
    parser.add_argument("--trust-remote-code", action="store_true")
    options = parser.parse_args(arguments)
    # Whatever a configuration says, nothing is fetched. Read when the libraries are first imported.
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
    os.environ["TQDM_DISABLE"] = "1"
    server = Server(options.host, options.port, name=options.name, waiting=options.waiting)
    return serve(server, lambda: Model(options))
