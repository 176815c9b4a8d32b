"""A server for each test of connections."""

import pytest

from tests.server.site import Open, serving


@pytest.fixture
def site() -> Open:
    """Serves a site with settings of its own: `async with site(clients=4) as here:`."""
    return serving
