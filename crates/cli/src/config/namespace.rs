//! What `[namespace]` of `gridmq serve` is told.

use std::path::PathBuf;

use super::section::section;

section! {
    /// With a namespace the broker decides as Azure Event Grid decides. namespace = 'FILE' before the first section is
    /// short for file.
    Namespace {
        /// Its resources as JSON. Default: none, and the broker is open. Flag: --namespace.
        file @reload: Option<PathBuf> = None, example "'namespace.json'";
        /// Or the ARM template that describes it, as JSON; of Bicep, what bicep build writes. Flag: --template.
        template @reload: Option<PathBuf> = None, example "'main.json'";
        /// The template's parameters, as JSON. Flag: --parameters.
        parameters @reload: Option<PathBuf> = None, example "'main.parameters.json'";
    }
}

impl Namespace {
    /// Whether there is one.
    pub(crate) const fn is_given(&self) -> bool {
        self.file.is_some() || self.template.is_some()
    }

    /// Whether its keys go together. They may also be flags.
    pub(crate) fn agree(&self) -> Result<(), String> {
        if self.file.is_some() && self.template.is_some() {
            return Err(
                "a namespace comes from its resources or from a template: leave out --namespace, or --template"
                    .to_owned(),
            );
        }
        if self.parameters.is_some() && self.template.is_none() {
            return Err("--parameters is for a template: give --template too, or leave it out".to_owned());
        }
        Ok(())
    }
}

impl From<String> for Namespace {
    fn from(file: String) -> Self {
        Self { file: Some(file.into()), ..Self::default() }
    }
}
