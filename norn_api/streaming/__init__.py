"""Long responses: the distribution of events, live logs, waiting for the end of a call, and limits for all of these."""
