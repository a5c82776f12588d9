import pytest

from hub.licensing.service import LICENSING


@pytest.fixture(autouse=True)
def still(clock):
    """Licences are judged at a moment that stands still."""


@pytest.fixture
def licensing(context):
    """The face that features ask."""
    return context[LICENSING]
