//! Ids of resources.

use std::fmt;
use std::hash::{Hash, Hasher};

/// The id of a resource below a resource group, or below a subscription. Two that differ in case alone are the same.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResourceId {
    /// The subscription's id; empty for a resource of the tenant.
    pub subscription_id: String,
    /// The resource group; absent for a resource of the subscription.
    pub resource_group: Option<String>,
    /// The type, such as `Microsoft.EventGrid/namespaces/clients`.
    pub kind: String,
    /// A name for each part of the type after the provider.
    pub names: Vec<String>,
}

/// Why a text is no id of a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no id of a resource, which begins with /subscriptions/")]
#[non_exhaustive]
pub struct ResourceIdError(pub String);

impl ResourceId {
    /// An id of its parts. The names are those of the type, slash by slash.
    #[must_use]
    pub fn new(subscription_id: &str, resource_group: Option<&str>, kind: &str, name: &str) -> Self {
        Self {
            subscription_id: subscription_id.to_owned(),
            resource_group: resource_group.map(str::to_owned),
            kind: kind.to_owned(),
            names: name.split('/').map(str::to_owned).collect(),
        }
    }

    /// Reads `/subscriptions/…/resourceGroups/…/providers/…`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, ResourceIdError> {
        let wrong = || ResourceIdError(text.to_owned());
        let mut parts = text.strip_prefix('/').ok_or_else(wrong)?.split('/');
        let mut word = |expected: &str| parts.next().is_some_and(|part| part.eq_ignore_ascii_case(expected));
        if !word("subscriptions") {
            return Err(wrong());
        }
        let subscription_id = parts.next().filter(|id| !id.is_empty()).ok_or_else(wrong)?.to_owned();
        let mut next = parts.next().ok_or_else(wrong)?;
        let mut resource_group = None;
        if next.eq_ignore_ascii_case("resourceGroups") {
            resource_group = Some(parts.next().filter(|name| !name.is_empty()).ok_or_else(wrong)?.to_owned());
            next = parts.next().ok_or_else(wrong)?;
        }
        if !next.eq_ignore_ascii_case("providers") {
            return Err(wrong());
        }
        let mut kind = parts.next().filter(|name| !name.is_empty()).ok_or_else(wrong)?.to_owned();
        let mut names = Vec::new();
        while let Some(part) = parts.next() {
            let name = parts.next().filter(|name| !name.is_empty() && !part.is_empty()).ok_or_else(wrong)?;
            kind.push('/');
            kind.push_str(part);
            names.push(name.to_owned());
        }
        if names.is_empty() {
            return Err(wrong());
        }
        Ok(Self { subscription_id, resource_group, kind, names })
    }

    /// The names with slashes between them, as a template writes them.
    #[must_use]
    pub fn name(&self) -> String {
        self.names.join("/")
    }

    /// The resource that it is a part of.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (kind, _) = self.kind.rsplit_once('/').filter(|_| self.names.len() > 1)?;
        let names = self.names.split_last().map(|(_, names)| names.to_vec()).unwrap_or_default();
        Some(Self { kind: kind.to_owned(), names, ..self.clone() })
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        let group = self.resource_group.as_deref().unwrap_or_default();
        [&*self.subscription_id, group, &*self.kind].into_iter().chain(self.names.iter().map(String::as_str))
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.names.len() == other.names.len()
            && self.parts().zip(other.parts()).all(|(one, other)| one.eq_ignore_ascii_case(other))
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for part in self.parts() {
            part.bytes().for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
            state.write_u8(b'/');
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.subscription_id.is_empty() {
            write!(f, "/subscriptions/{}", self.subscription_id)?;
        }
        if let Some(group) = &self.resource_group {
            write!(f, "/resourceGroups/{group}")?;
        }
        let mut kinds = self.kind.split('/');
        write!(f, "/providers/{}", kinds.next().unwrap_or_default())?;
        for (kind, name) in kinds.zip(&self.names) {
            write!(f, "/{kind}/{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/namespaces/n/clients/c";

    #[test]
    fn ids_are_read_written_and_compared_ignoring_case() {
        let id = ResourceId::parse(CLIENT).unwrap();
        assert_eq!(id.to_string(), CLIENT);
        assert_eq!((&*id.kind, id.name()), ("Microsoft.EventGrid/namespaces/clients", "n/c".to_owned()));
        assert_eq!(id, ResourceId::parse(&CLIENT.to_lowercase()).unwrap());
        assert_eq!(id, ResourceId::new("S", Some("G"), "microsoft.eventgrid/namespaces/clients", "N/C"));
        let parent = id.parent().unwrap();
        assert_eq!(parent.to_string(), "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/namespaces/n");
        assert_eq!(parent.parent(), None);
    }

    #[test]
    fn what_is_no_id_is_not_taken_for_one() {
        for text in ["", "name", "/subscriptions", "/subscriptions/s/providers/P", "/subscriptions//providers/P/t/n"] {
            assert!(ResourceId::parse(text).is_err(), "{text}");
        }
        assert!(ResourceId::parse(&format!("{CLIENT}/more")).is_err());
    }
}
