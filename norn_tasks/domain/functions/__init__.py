"""What belongs to functions alone: who may call one, and the answer that its output is."""
