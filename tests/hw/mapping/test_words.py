import numpy as np

from rowloom.hw.mapping.words import WeightWords


def test_layers_follow_each_other_and_codes_lie_from_the_low_end_on():
    first, second = np.array([[[1, -2], [3, 0]], [[0, 0], [-4, 2]]]), np.array([[[2, 1]], [[-1, 3]]])
    words = WeightWords([first, second], bits=3)
    assert tuple(words) == ((1 | 6 << 3, 3, 2 | 1 << 3), (0, 4 | 2 << 3, 7 | 3 << 3))
    assert words[1] is words[1]
    assert (words[-1], words[:1]) == (words[1], (words[0],))
    assert words == tuple(words)
    assert hash(words) == hash(tuple(words))
    assert repr(words) == repr(tuple(words))


def test_words_wider_than_any_machine_word():
    codes = np.random.default_rng(0).integers(0, 16, (1, 5, 100))
    (row,) = WeightWords([codes], bits=4)
    assert row == tuple(sum(int(code) << 4 * i for i, code in enumerate(word)) for word in codes[0])
