"""What can go wrong while a process confines itself: the kernel lacks a layer, or refused one that it has."""


class LayerMissing(Exception):
    """A layer that was asked for is not to be had on this machine; `why` is a sentence of ours."""

    def __init__(self, layer: str, why: str) -> None:
        super().__init__(layer)
        self.layer = layer
        self.why = why
