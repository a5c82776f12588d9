"""The plugin's settings."""

from __future__ import annotations

from dataclasses import dataclass

from hub.plugin import setting

_MIB = 1024 * 1024


@dataclass(frozen=True)
class InferenceSettings:
    """What the gateway takes and how long it waits. Source of the numbers: gateway contract, sections 1.3 and 1.4."""

    owned_by: str = setting("hub", "whose the gateway's own models are said to be")
    currency: str = setting("USD", "in which models have prices and keys have budgets")
    max_body_bytes: int = setting(10 * _MIB, "largest request in JSON", unit="bytes")
    max_form_bytes: int = setting(100 * _MIB, "largest form with files", unit="bytes")
    max_answer_bytes: int = setting(64 * _MIB, "largest answer that does not stream", unit="bytes")
    connect_timeout_s: int = setting(5, "how long to wait for a connection to a provider", unit="seconds")
    stream_timeout_s: int = setting(120, "how long to wait for a stream to begin", unit="seconds")
    answer_timeout_s: int = setting(600, "how long to wait for an answer that does not stream", unit="seconds")
    pause_timeout_s: int = setting(60, "how long a stream may pause", unit="seconds")
    max_attempts: int = setting(3, "how many upstreams one request is sent to at most")
    # The model's own limit is known to few providers' lists; what is held for a call is given back at its end.
    default_max_tokens: int = setting(4096, "how many tokens of an answer are held where nobody says", unit="tokens")

    # Source: section 1.7.
    image_tokens: int = setting(765, "how many tokens a picture in a prompt counts where nobody tells", unit="tokens")
    audio_tokens: int = setting(500, "how many tokens a recording in a prompt counts, likewise", unit="tokens")

    keep_calls_days: int = setting(
        90, "how long single calls are kept; their sums stay. 0: for ever; else at least 35", unit="days"
    )
    site_requests_per_minute: int = setting(0, "how many calls the whole gateway takes in a minute; 0: no limit")
    site_tokens_per_minute: int = setting(0, "how many tokens all calls may use in a minute; 0: no limit")

    # Source: compute contract, 2.1, 2.3 and 15.3.
    engine_registry: str = setting("", "before names of engines' images that have none, such as vllm/vllm-openai")
    engine_programs: str = setting(
        "", "ready-made programs of engines: llama.cpp=/PATH/llama-server, transformers=/PATH/bin/python"
    )
    trust_remote_code: bool = setting(False, "engines may run the code that repositories of models bring")

    # Source: compute contract, 3.2 and 15.8.
    sleep_after_s: int = setting(300, "how long a deployment with no replica at least stays awake", unit="seconds")
    wake_timeout_s: int = setting(120, "how long a call waits for a deployment that is on its way", unit="seconds")
    max_queued_calls: int = setting(100, "how many calls wait for one deployment, in each process")

    # Source: gateway contract, section 1.6.
    media_requests_per_minute: int = setting(
        0, "how many calls of each kind with pictures, sound or videos an account makes in a minute; 0: no limit"
    )
    # Source: gateway contract, section 1.10.
    max_file_bytes: int = setting(200 * _MIB, "largest file that a program leaves with the gateway", unit="bytes")
    max_files_bytes: int = setting(10 * 1024 * _MIB, "how much the files of an account may hold together", unit="bytes")
    max_batches: int = setting(100, "how many batches of an account may be under way")
    batch_price_percent: int = setting(50, "what a call of a batch costs of what it costs otherwise", unit="percent")
    batch_parallel: int = setting(8, "how many calls of a batch are made at once")
    batch_slice_s: int = setting(20, "how long a worker works on a batch before others have their turn", unit="seconds")

    @property
    def named_programs(self) -> dict[str, str]:
        """Engine to the program or Python that is to be used for it."""
        pairs = (each.partition("=") for each in self.engine_programs.split(",") if each.strip())
        return {name.strip(): path.strip() for name, _, path in pairs}

    def __post_init__(self) -> None:
        if not all(path.startswith("/") for path in self.named_programs.values()):
            raise ValueError("engine_programs is written ENGINE=/PATH, with commas between")
        if min(self.max_form_bytes, self.max_file_bytes, self.max_files_bytes) < 1:
            raise ValueError("sizes must be positive")
        if min(self.max_batches, self.batch_parallel, self.batch_slice_s) < 1 or self.batch_price_percent < 0:
            raise ValueError("batches need calls and time, and cost something or nothing")
        if min(self.max_body_bytes, self.max_answer_bytes, self.max_attempts, self.default_max_tokens) < 1:
            raise ValueError("sizes, attempts and tokens must be positive")
        if min(self.connect_timeout_s, self.stream_timeout_s, self.answer_timeout_s, self.pause_timeout_s) <= 0:
            raise ValueError("times must be positive")
        if not 0 < self.wake_timeout_s <= 120 or min(self.sleep_after_s, self.max_queued_calls) < 1:
            raise ValueError("calls wait for 1 to 120 s, and deployments stay awake for a while")
        if self.keep_calls_days and self.keep_calls_days < 35:
            raise ValueError("calls must be kept for 35 days at least: budgets of a month are counted from them")
        limits = [self.site_requests_per_minute, self.site_tokens_per_minute, self.media_requests_per_minute]
        limits += [self.image_tokens, self.audio_tokens]
        if min(self.keep_calls_days, *limits) < 0:
            raise ValueError("limits and tokens must not be negative")
