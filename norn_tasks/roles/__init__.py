"""What each role adds to a pipeline: what forge provisions, how a release goes live, how it is dismantled."""
