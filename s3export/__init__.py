"""Take S3 buckets to a disk and prove that the disk is right."""
