"""Writing the control plane into one file, and putting it back."""
