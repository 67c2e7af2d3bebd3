"""How s3export is started: command line, library, sandbox."""
