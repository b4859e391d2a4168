"""What CSV does to words that a spreadsheet would run, and to nothing else."""

import csv
import io

import numpy as np
import pytest

from ingest.rights.exporting.writers import Csv
from ingest.store.rights.columns import Block, Field, Kind, Numbers, Objects


@pytest.mark.parametrize(
    ("word", "cell"),
    [("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"),
     ("a=1", "a=1"), ('a,"b"', 'a,"b"'), ("", ""), (None, "")],
)  # fmt: skip
def test_a_formula_is_guarded_in_words_alone(word: str | None, cell: str) -> None:
    fields = (Field("word", Kind.TERM), Field("number", Kind.INTEGER))
    writer = Csv(fields)
    block = Block(fields, (Objects([word]), Numbers(np.array([-5], np.int64))), 1, "")
    said = (writer.head() + writer.block(block) + writer.end()).decode()
    assert list(csv.reader(io.StringIO(said, newline=""))) == [["word", "number"], [cell, "-5"]]
