"""Reports of a verification, as JSON and as text."""
