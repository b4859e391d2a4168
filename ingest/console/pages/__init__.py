"""The pages, one file for each subject; each exports `PAGES`, which `ingest.console.routes` adds up."""
