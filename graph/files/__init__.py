"""Files: documents and exports behind signed addresses, the store that keeps them and the virus scanner."""
