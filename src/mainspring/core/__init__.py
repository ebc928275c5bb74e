"""The contracts and words every room shares; imports nothing of ours."""
