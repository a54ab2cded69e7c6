"""Pages: what people see in a browser beside the API, behind mailed links, the mail page and GraphiQL."""
