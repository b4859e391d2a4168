"""Public prompts with labels, from a folder that holds their files; no row of them is part of this project.

What is read if it is there: `question.jsonl` (MT-bench of FastChat, Apache-2.0), `HumanEval.jsonl.gz` (MIT), and the
evals of RouteLLM (Apache-2.0): `gsm8k_responses.csv` (GSM8K's questions, MIT) and `mmlu/*.csv` (MMLU's questions, MIT).
"""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

# A response in a row can be longer than the module's own limit.
csv.field_size_limit(16 * 1024 * 1024)

# Which of our categories are right for what MT-bench calls a category.
_MT_BENCH: Final[Mapping[str, frozenset[str]]] = {
    "writing": frozenset({"creative_writing", "email", "rewriting"}),
    "roleplay": frozenset({"creative_writing", "chat"}),
    "reasoning": frozenset({"reasoning"}),
    "math": frozenset({"math"}),
    "coding": frozenset({"code_generation", "debugging"}),
    "extraction": frozenset({"extraction", "classification", "data_analysis"}),
    "stem": frozenset({"question_answering"}),
    "humanities": frozenset({"question_answering"}),
}
_MMLU: Final[Mapping[str, frozenset[str]]] = {
    "abstract_algebra": frozenset({"math"}),
    "college_mathematics": frozenset({"math"}),
    "elementary_mathematics": frozenset({"math"}),
    "high_school_mathematics": frozenset({"math"}),
    "high_school_statistics": frozenset({"math", "data_analysis"}),
    "formal_logic": frozenset({"reasoning"}),
    "logical_fallacies": frozenset({"reasoning", "question_answering"}),
}


class Question(NamedTuple):
    """A public prompt, where it is from, and the categories that are right for it."""

    text: str
    source: str
    right: frozenset[str]


class Answered(NamedTuple):
    """A prompt with what each model of a file made of it."""

    text: str
    subject: str
    is_right: Mapping[str, bool]


def questions(folder: Path) -> Iterator[Question]:
    """Yield the prompts of the files that are there."""
    if (path := folder / "question.jsonl").exists():
        for row in map(json.loads, path.read_text("utf-8").splitlines()):
            yield Question(row["turns"][0], f"MT-bench {row['category']}", _MT_BENCH[row["category"]])
    if (path := folder / "HumanEval.jsonl.gz").exists():
        for row in map(json.loads, gzip.decompress(path.read_bytes()).decode().splitlines()):
            yield Question(row["prompt"], "HumanEval", frozenset({"code_generation"}))
    for row in answered(folder):
        if row.subject == "gsm8k":
            yield Question(row.text, "GSM8K", frozenset({"math"}))
        else:
            right = _MMLU.get(row.subject, frozenset({"question_answering"}))
            kind = "mathematics" if "math" in right else "logic" if "reasoning" in right else "knowledge"
            yield Question(row.text, f"MMLU {kind}", right)


def answered(folder: Path) -> Iterator[Answered]:
    """Yield the rows of each CSV with a prompt and columns of models, from the folder and those below it."""
    for path in sorted(folder.rglob("*.csv")):
        subject = path.stem.removeprefix("mmlu_").removesuffix("_responses")
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                models = {name: value == "True" for name, value in row.items() if value in {"True", "False"}}
                if row.get("prompt") and models:
                    yield Answered(row["prompt"], subject, models)
