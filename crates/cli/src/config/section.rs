//! How a section of the configuration is declared: once, and from that come its type, its defaults, what
//! `--print-config` says of it, which names are known, and what a reload can change.
//!
//! ```text
//! section! {
//!     /// What the section is about.
//!     Limits {
//!         /// What the key means, and its unit.
//!         connections @reload: usize = 16_000;
//!         /// A key without a default has an example, as it stands in TOML.
//!         cert: Option<PathBuf> = None, example "'server.pem'";
//!     }
//! }
//! ```
//!
//! `@reload` marks what SIGHUP puts in force; of anything else that was changed the log says that it waits for a
//! start. A relative path in a file starts at the file's directory.

use std::path::Path;

use super::value::Value;

/// One key, for people.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// As it stands in the file.
    pub(crate) name: String,
    /// What it means, a line each.
    pub(crate) doc: &'static [&'static str],
    /// Its default as TOML; absent if it has none.
    pub(crate) default: Option<String>,
    /// What stands for a default where there is none.
    pub(crate) example: Option<&'static str>,
    /// Whether SIGHUP puts a change in force.
    pub(crate) reloads: bool,
}

/// How often a section may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It is always there, with its defaults.
    Once,
    /// What it is about is off unless it is there.
    Optional,
    /// As often as one likes, as `[[name]]`.
    Many,
}

/// A section, for people.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) how: How,
    pub(crate) about: &'static [&'static str],
    pub(crate) keys: Vec<Key>,
    pub(crate) sections: Vec<Self>,
}

/// What differs between two configurations: the key's whole name, and whether a reload puts it in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: String,
    pub(crate) reloads: bool,
}

/// A section, or something that holds some.
pub(crate) trait Section: PartialEq {
    fn tree(name: &str) -> Tree;
    fn resolve(&mut self, base: &Path);
    fn changes(&self, other: &Self, prefix: &str, found: &mut Vec<Change>);
    /// Takes over what a reload puts in force.
    fn adopt(&mut self, newer: &Self);
}

impl<T: Section> Section for Option<T> {
    fn tree(name: &str) -> Tree {
        Tree { how: How::Optional, ..T::tree(name) }
    }

    fn resolve(&mut self, base: &Path) {
        if let Some(section) = self {
            section.resolve(base);
        }
    }

    fn changes(&self, other: &Self, prefix: &str, found: &mut Vec<Change>) {
        match (self, other) {
            (Some(one), Some(other)) => one.changes(other, prefix, found),
            (None, None) => {}
            _ => found.push(Change { key: format!("[{prefix}]"), reloads: false }),
        }
    }

    fn adopt(&mut self, newer: &Self) {
        if let (Some(section), Some(newer)) = (self, newer) {
            section.adopt(newer);
        }
    }
}

impl<T: Section> Section for Vec<T> {
    fn tree(name: &str) -> Tree {
        Tree { how: How::Many, ..T::tree(name) }
    }

    fn resolve(&mut self, base: &Path) {
        for section in self {
            section.resolve(base);
        }
    }

    fn changes(&self, other: &Self, prefix: &str, found: &mut Vec<Change>) {
        if self.len() != other.len() {
            found.push(Change { key: format!("[[{prefix}]]"), reloads: false });
            return;
        }
        for (number, (one, other)) in self.iter().zip(other).enumerate() {
            one.changes(other, &format!("{prefix}[{number}]"), found);
        }
    }

    fn adopt(&mut self, newer: &Self) {
        if self.len() == newer.len() {
            for (section, newer) in self.iter_mut().zip(newer) {
                section.adopt(newer);
            }
        }
    }
}

/// The name in the file of a field.
pub(crate) fn kebab(field: &str) -> String {
    field.trim_start_matches("r#").replace('_', "-")
}

/// `name`, or `prefix.name`.
pub(crate) fn whole(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// Whether there is a mark.
pub(crate) const fn is_marked(marks: &[&str]) -> bool {
    !marks.is_empty()
}

/// Takes over one key.
pub(crate) fn adopt<T: Clone>(key: &mut T, newer: &T, reloads: bool) {
    if reloads {
        key.clone_from(newer);
    }
}

/// Compares one key.
pub(crate) fn compare<T: Value + PartialEq>(
    one: &T,
    other: &T,
    key: impl FnOnce() -> String,
    reloads: bool,
    found: &mut Vec<Change>,
) {
    if one != other {
        found.push(Change { key: key(), reloads });
    }
}

macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[serde($($serde:tt)*)])?
                $key:ident $(@ $reload:ident)?: $type:ty = $default:expr $(, example $example:literal)?;
            )*
        }
        $(sections {
            $(
                $(#[serde($($nested_serde:tt)*)])?
                $nested:ident: $nested_type:ty;
            )*
        })?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub(crate) struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)*)])?
                pub(crate) $key: $type,
            )*
            $($(
                $(#[serde($($nested_serde)*)])?
                pub(crate) $nested: $nested_type,
            )*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* $($($nested: <$nested_type>::default(),)*)? }
            }
        }

        impl $crate::config::section::Section for $name {
            fn tree(name: &str) -> $crate::config::section::Tree {
                let default = Self::default();
                $crate::config::section::Tree {
                    name: name.to_owned(),
                    how: $crate::config::section::How::Once,
                    about: &[$($about),+],
                    keys: vec![$($crate::config::section::Key {
                        name: $crate::config::section::kebab(stringify!($key)),
                        doc: &[$($doc),+],
                        default: $crate::config::value::Value::shown(&default.$key),
                        example: [$($example)?].first().copied(),
                        reloads: $crate::config::section::is_marked(&[$(stringify!($reload))?]),
                    },)*],
                    sections: vec![$($(
                        <$nested_type as $crate::config::section::Section>::tree(
                            &$crate::config::section::kebab(stringify!($nested))
                        ),
                    )*)?],
                }
            }

            #[allow(unused_variables, reason = "sections without keys")]
            fn resolve(&mut self, base: &std::path::Path) {
                $($crate::config::value::Value::resolve(&mut self.$key, base);)*
                $($($crate::config::section::Section::resolve(&mut self.$nested, base);)*)?
            }

            #[allow(unused_variables, reason = "sections without keys")]
            fn adopt(&mut self, newer: &Self) {
                use $crate::config::section::{adopt, is_marked};
                $(adopt(&mut self.$key, &newer.$key, is_marked(&[$(stringify!($reload))?]));)*
                $($($crate::config::section::Section::adopt(&mut self.$nested, &newer.$nested);)*)?
            }

            #[allow(unused_variables, reason = "sections without keys")]
            fn changes(&self, other: &Self, prefix: &str, found: &mut Vec<$crate::config::section::Change>) {
                use $crate::config::section::{compare, is_marked, kebab, whole};
                $(compare(
                    &self.$key,
                    &other.$key,
                    || whole(prefix, &kebab(stringify!($key))),
                    is_marked(&[$(stringify!($reload))?]),
                    found,
                );)*
                $($(
                    let name = whole(prefix, &kebab(stringify!($nested)));
                    $crate::config::section::Section::changes(&self.$nested, &other.$nested, &name, found);
                )*)?
            }
        }
    };
}

pub(crate) use section;
