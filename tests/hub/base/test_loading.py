import gc

import pytest

from hub.base.loading import loading


def test_what_is_loaded_is_not_gone_through():
    with loading():
        assert not gc.isenabled()
        with loading():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_works_again_after_a_failure():
    with pytest.raises(ImportError), loading():
        import hub.nowhere  # noqa: F401
    assert gc.isenabled()
