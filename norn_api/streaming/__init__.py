"""Long responses: the event hub, waiting for the end of a job, and the limits on both."""
