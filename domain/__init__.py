"""Rules, ports and use cases of s3export: standard library only, no I/O."""
