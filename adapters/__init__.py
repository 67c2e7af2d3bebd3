"""One module per outside thing; foreign exceptions stop here."""
