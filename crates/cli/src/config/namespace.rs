//! What `[namespace]` of `gridmq serve` is told.

use std::path::PathBuf;

use super::section::section;

section! {
    /// With a namespace the broker decides as Azure Event Grid decides. namespace = 'FILE' before the first section is
    /// short for file.
    Namespace {
        /// Its resources as JSON. Default: none, and the broker is open. Flag: --namespace.
        file @reload: Option<PathBuf> = None, example "'namespace.json'";
    }
}

impl From<String> for Namespace {
    fn from(file: String) -> Self {
        Self { file: Some(file.into()) }
    }
}
