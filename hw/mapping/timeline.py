"""The cycle model of layers whose weights come while images are computed: exactly when they wait."""

from dataclasses import dataclass

__all__ = ["Timeline"]

#: Cycles from the record's last word to the start of a layer; from the end of a load to the loader's first code,
#: beside the input's record; and from the loader's last code to the first layer.
_START, _FIRST, _LOADED = 2, 3, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When layers run and sections come, if an image is always there and the results always leave.

    Parameters
    ----------
    cycles : tuple of int
        Of each layer that need not wait.
    sections : tuple of (int, int) or None
        Of each layer: the beats of its section's words, and its lead; None where its weights stay.
    interval : int
        Cycles from beat to beat of the load port.
    header_beats : int
    input_words, record_words : int
        Words of the input's record and of a layer's.
    load : int
        Cycles in which an image comes in.
    release : int
        Layers after which the input's memory is free.
    """

    cycles: tuple[int, ...]
    sections: tuple[tuple[int, int] | None, ...]
    interval: int
    header_beats: int
    input_words: int
    record_words: int
    load: int
    release: int

    def stalls(self, images: int) -> list[tuple[int, ...]]:
        """Cycles in which each layer waits for its weights, an image after the other from the load's last beat on."""
        done: list[int] = []  # when the layers of the sections so far were
        beat = 0  # when the last beat was taken
        first = True
        free = _FIRST + self.input_words
        end = 0
        found = []
        for _ in range(images):
            end = max(end + 1, free + self.load + _LOADED)
            waits = []
            for i, (cycles, each) in enumerate(zip(self.cycles, self.sections, strict=True)):
                wait = 0
                if each is not None:
                    beats, lead = each
                    opens = beat + (max(self.interval, 2) if first else self.interval)
                    opens += (self.header_beats - 1) * self.interval  # the header's last beat
                    first = False
                    s = len(done)
                    may = max(opens, done[s - lead - 1] if s > lead else 0) + 1
                    beat = max(may + 2, opens + self.interval) + (beats - 1) * self.interval
                    wait = max(0, beat + 1 - (end + self.record_words + _START))
                end += cycles + wait
                waits.append(wait)
                if each is not None:
                    done.append(end)
                if i + 1 == self.release:
                    free = end
            found.append(tuple(waits))
        return found
