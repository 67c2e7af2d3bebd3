"""What AWS writes on a disk."""

FILE_SYSTEMS = ("EXT4", "NTFS")
"""The values of a manifest's ``fileSystem`` (AWS Import/Export Developer Guide, "Export
manifest file options"); the first is the default."""
