import pytest

from rowloom.model import blas


@pytest.fixture
def openblas():
    found = blas._openblas()
    if found is None:
        pytest.skip("numpy does not use OpenBLAS here")
    return found


def test_one_thread_inside_and_as_before_after(openblas):
    get, set_ = openblas
    before = get()
    set_(2)
    try:
        with blas.one_blas_thread():
            assert get() == 1
        assert get() == 2
        with pytest.raises(KeyError), blas.one_blas_thread():
            raise KeyError
        assert get() == 2
    finally:
        set_(before)


def test_does_nothing_where_there_is_no_openblas(monkeypatch, tmp_path):
    blas._openblas.cache_clear()
    monkeypatch.setattr(blas, "_LOADED", tmp_path / "none")
    with blas.one_blas_thread():
        pass
    assert blas._openblas() is None
    blas._openblas.cache_clear()
