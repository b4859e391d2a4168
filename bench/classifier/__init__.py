"""The gateway's classifier, outside of what runs: its training prompts, its training and what it is worth.

`prompts/` has the templates of each category, a line each; `words.txt`, `decorations.txt` and `passages.txt` have what
they are filled with. All of it was written for this project. `python -m bench.classifier` trains,
`bench.classifier.check` evaluates it, and `bench.classifier.labels` evaluates routing on public labels.
"""
