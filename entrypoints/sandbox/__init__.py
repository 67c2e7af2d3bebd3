"""S3, the export service, the loading facility and a disk, on this machine."""
