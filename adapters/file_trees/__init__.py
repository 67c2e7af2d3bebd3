"""File trees: where the files of a backup are read from."""
