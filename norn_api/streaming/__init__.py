"""Long responses: the event hub, live logs, waiting for the end of a call, and the limits on them."""
