"""Which addresses the service answers."""

from s3export.entrypoints.sandbox.importexport.responses import ImportExportResponse

url_bases = [r"https?://importexport\.(.+\.)?amazonaws\.com"]

url_paths = {
    "{0}/$": ImportExportResponse.dispatch,
    "{0}/loading-facility$": ImportExportResponse.facility,
}
