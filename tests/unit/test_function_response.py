"""Responses of functions: a redirect address is sent exactly as the function printed it, even if it is no valid URL."""

from __future__ import annotations

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from norn_api.calling.outputs import FunctionResponse
from norn_tasks.domain.functions import cgi


@pytest.mark.parametrize("location", [
    "/a?b=c", "http://a..b/", "http://[", "http://a:b/", "http://a:99999/", "//[::1", "/a b", f"http://{'a' * 64}/", "",
])  # fmt: skip
def test_location_is_sent_as_the_function_printed_it(location: str) -> None:
    answer = cgi.parse(f"Location: {location}\nX-A: b\n\nbody".encode())
    body, status, headers = run_wsgi_app(FunctionResponse(answer), create_environ())
    assert (b"".join(body), status[:3], headers["Location"], headers["X-A"]) == (b"body", "302", location, "b")
