"""`python -m bench.classifier`: train the gateway's classifier on all prompts, and write its weights."""

import sys
from pathlib import Path

from tqdm import tqdm

from bench.classifier.prompts import EVERYTHING, FOLDS, Part, digest, prompts
from bench.classifier.training import fitted, loss_temperature, scored
from ingest.gateway.classifier.weights import SHIPPED, write


def main() -> int:
    """Train, and write the file; the temperature is that of models which had not seen the prompts that they scored."""
    held_out = [
        each
        for fold in tqdm(range(FOLDS), desc="folds", disable=None)
        for each in scored(fitted(prompts(Part(fold))), prompts(Part(fold, is_held_out=True)))
    ]
    weights = fitted(prompts(EVERYTHING), digest(EVERYTHING))._replace(temperature=loss_temperature(held_out))
    content = write(weights)
    Path(SHIPPED).write_bytes(content)
    print(f"{SHIPPED.name}: {len(content):,} bytes, temperature {weights.temperature}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
