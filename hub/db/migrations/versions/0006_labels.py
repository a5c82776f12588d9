"""The labels that the hub brings: categories for every kind of asset, and the words that people look for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0006_labels"
down_revision = "0005_community"
branch_labels = None
depends_on = None

KINDS = ("model", "dataset", "code", "space", "prompt", "skill", "mcpserver")
# Source: CSGHub contract, section 4.2. Those of machines are read from files.
CATEGORIES = {
    "task": "Task",
    "license": "Licence",
    "framework": "Framework",
    "language": "Language",
    "industry": "Industry",
    "evaluation": "Evaluation",
    "size": "Size",
    "runtime_framework": "Runtime framework",
}
AUTOMATIC = ("framework", "runtime_framework")

# Group -> names, as the cards of models and data sets spell them.
MODEL_TASKS = {
    "multimodal": "any-to-any audio-text-to-text document-question-answering image-text-to-text video-text-to-text "
    "visual-document-retrieval visual-question-answering",
    "computer_vision": "depth-estimation image-classification image-feature-extraction image-segmentation "
    "image-to-3d image-to-image image-to-text image-to-video keypoint-detection mask-generation object-detection "
    "text-to-3d text-to-image text-to-video unconditional-image-generation video-classification video-to-video "
    "zero-shot-image-classification zero-shot-object-detection",
    "natural_language_processing": "feature-extraction fill-mask question-answering sentence-similarity summarization "
    "table-question-answering text-classification text-generation text-ranking token-classification translation "
    "zero-shot-classification",
    "audio": "audio-classification audio-to-audio automatic-speech-recognition text-to-audio text-to-speech "
    "voice-activity-detection",
    "tabular": "tabular-classification tabular-regression time-series-forecasting",
    "reinforcement_learning": "reinforcement-learning robotics",
    "other": "graph-ml other",
}
DATASET_TASKS = {
    "multimodal": "any-to-any document-question-answering image-text-to-text video-text-to-text "
    "visual-document-retrieval visual-question-answering",
    "computer_vision": "depth-estimation image-classification image-feature-extraction image-segmentation "
    "image-to-3d image-to-image image-to-text image-to-video keypoint-detection mask-generation object-detection "
    "text-to-3d text-to-image text-to-video unconditional-image-generation video-classification "
    "zero-shot-image-classification zero-shot-object-detection",
    "natural_language_processing": "feature-extraction fill-mask multiple-choice question-answering "
    "sentence-similarity summarization table-question-answering table-to-text text-classification text-generation "
    "text-ranking text-retrieval token-classification translation zero-shot-classification",
    "audio": "audio-classification audio-to-audio automatic-speech-recognition text-to-audio text-to-speech "
    "voice-activity-detection",
    "tabular": "tabular-classification tabular-regression tabular-to-text time-series-forecasting",
    "reinforcement_learning": "reinforcement-learning robotics",
    "other": "graph-ml other",
}
LICENSES = (
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 "
    "bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc "
    "cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 "
    "cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 "
    "cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl "
    "gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl "
    "apple-amlr mpl-2.0 mulanpsl-2.0 odc-by odbl openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib "
    "pddl lgpl-lr deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 "
    "llama4 grok2-community gemma unknown other"
)
FRAMEWORKS = (
    "pytorch tensorflow jax safetensors transformers peft gguf onnx paddlepaddle joblib diffusers "
    "sentence-transformers timm keras scikit-learn adapters mlx openvino coreml tflite rust spacy fastai flair nemo "
    "espnet speechbrain stable-baselines3 setfit bertopic open_clip ml-agents sample-factory fasttext "
    "pyannote-audio stanza span-marker allennlp asteroid paddlenlp paddleocr mindspore ultralytics tensorrt"
)
LANGUAGES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian", "bg": "Bulgarian",
    "bn": "Bengali", "bo": "Tibetan", "bs": "Bosnian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "gu": "Gujarati",
    "ha": "Hausa", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian",
    "id": "Indonesian", "ig": "Igbo", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "jv": "Javanese",
    "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "ku": "Kurdish",
    "ky": "Kyrgyz", "la": "Latin", "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian", "mg": "Malagasy",
    "mk": "Macedonian", "ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "ms": "Malay", "mt": "Maltese",
    "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "or": "Odia", "pa": "Punjabi", "pl": "Polish",
    "ps": "Pashto", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sa": "Sanskrit", "sd": "Sindhi",
    "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "so": "Somali", "sq": "Albanian", "sr": "Serbian",
    "su": "Sundanese", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "tg": "Tajik", "th": "Thai",
    "tk": "Turkmen", "tl": "Tagalog", "tr": "Turkish", "tt": "Tatar", "ug": "Uyghur", "uk": "Ukrainian",
    "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "xh": "Xhosa", "yi": "Yiddish", "yo": "Yoruba",
    "yue": "Cantonese", "zh": "Chinese", "zu": "Zulu", "code": "Code", "multilingual": "Multilingual",
}  # fmt: skip
INDUSTRIES = (
    "agriculture automotive construction consulting education energy entertainment finance gaming government "
    "healthcare hospitality insurance legal logistics manufacturing media pharmaceuticals real-estate research retail "
    "security telecommunications tourism"
)
EVALUATIONS = (
    "agents code instruction-following knowledge language-understanding long-context mathematics multimodal reasoning "
    "safety tool-use"
)
SIZES = "n<1k 1k<n<10k 10k<n<100k 100k<n<1m 1m<n<10m 10m<n<100m 100m<n<1b 1b<n<10b 10b<n<100b 100b<n<1t n>1t"
RUNTIMES = {
    "inference": "llama.cpp nim sglang tei tgi transformers triton vllm",
    "finetune": "llama-factory ms-swift",
    "evaluation": "evalscope lm-evaluation-harness opencompass",
}


def _labels(kind: str) -> Iterator[tuple[str, str, str, str]]:
    """(category, group, name, what pages show) of each label of a kind of asset."""
    tasks = {"model": MODEL_TASKS, "dataset": DATASET_TASKS}.get(kind, {})
    for group, names in tasks.items():
        yield from (("task", group, name, name.replace("-", " ").capitalize()) for name in names.split())
    yield from (("license", "", name, name) for name in LICENSES.split())
    yield from (("industry", "", name, name.replace("-", " ").capitalize()) for name in INDUSTRIES.split())
    if kind in ("model", "dataset", "prompt"):
        yield from (("framework", "", name, name) for name in FRAMEWORKS.split())
        yield from (("language", "", code, name) for code, name in LANGUAGES.items())
    if kind == "dataset":
        yield from (("size", "", name, name.upper().replace("N", "n")) for name in SIZES.split())
        yield from (("evaluation", "", name, name.replace("-", " ").capitalize()) for name in EVALUATIONS.split())
    if kind in ("model", "dataset"):
        for group, names in RUNTIMES.items():
            yield from (("runtime_framework", group, name, name) for name in names.split())


def upgrade() -> None:
    now = datetime.now(UTC)
    moment = sa.DateTime(timezone=True)
    categories = sa.table(
        "tag_categories",
        *(sa.column(name, sa.String()) for name in ("scope", "name", "show_name")),
        *(sa.column(name, sa.Boolean()) for name in ("is_enabled", "is_automatic")),
    )
    tags = sa.table(
        "tags",
        *(sa.column(name, sa.String()) for name in ("scope", "category", "group", "name", "show_name", "i18n_key")),
        sa.column("state", sa.String()),
        sa.column("is_builtin", sa.Boolean()),
        *(sa.column(name, moment) for name in ("created_at", "updated_at")),
    )
    op.bulk_insert(
        categories,
        [
            {
                "scope": kind,
                "name": name,
                "show_name": show_name,
                "is_enabled": True,
                "is_automatic": name in AUTOMATIC,
            }
            for kind in KINDS
            for name, show_name in CATEGORIES.items()
        ],
    )
    op.bulk_insert(
        tags,
        [
            {
                "scope": kind,
                "category": category,
                "group": group,
                "name": name,
                "show_name": show_name,
                "i18n_key": f"{category}.{name}",
                "is_builtin": True,
                "state": "kept",
                "created_at": now,
                "updated_at": now,
            }
            for kind in KINDS
            for category, group, name, show_name in _labels(kind)
        ],
    )


def downgrade() -> None:
    op.execute("DELETE FROM tags WHERE is_builtin")
    op.execute("DELETE FROM tag_categories")
