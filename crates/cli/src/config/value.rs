//! What stands behind a key: how it is written in TOML, and where a path in it starts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gridmq_tls::issue::KeyType;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::connection::trust::CrlCheck;

/// The value of a key.
pub(crate) trait Value {
    /// As TOML; nothing for what is absent.
    fn shown(&self) -> Option<String>;

    /// A relative path starts at `base`.
    fn resolve(&mut self, base: &Path) {
        let _ = base;
    }
}

macro_rules! written_by_display {
    ($($type:ty),+ $(,)?) => {
        $(impl Value for $type {
            fn shown(&self) -> Option<String> {
                Some(self.to_string())
            }
        })+
    };
}

written_by_display!(bool, u8, u16, u32, u64, usize);

/// Writes a text as TOML.
pub(crate) fn quoted(text: impl fmt::Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

impl Value for String {
    fn shown(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Value for PathBuf {
    fn shown(&self) -> Option<String> {
        Some(quoted(self.display()))
    }

    fn resolve(&mut self, base: &Path) {
        *self = base.join(&*self);
    }
}

impl Value for KeyType {
    fn shown(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Value for CrlCheck {
    fn shown(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Leaf => "leaf",
            Self::Chain => "chain",
        }))
    }
}

impl<T: Value> Value for Option<T> {
    fn shown(&self) -> Option<String> {
        self.as_ref().and_then(Value::shown)
    }

    fn resolve(&mut self, base: &Path) {
        if let Some(value) = self {
            value.resolve(base);
        }
    }
}

impl<T: Value> Value for Vec<T> {
    fn shown(&self) -> Option<String> {
        Some(format!("[{}]", self.iter().filter_map(Value::shown).collect::<Vec<_>>().join(", ")))
    }

    fn resolve(&mut self, base: &Path) {
        for value in self {
            value.resolve(base);
        }
    }
}

/// A length of time: a number with ms, s, m, h or d.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

const MILLIS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// A hundred years.
const LONGEST: u64 = 36_500 * 86_400_000;

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
        let unit = MILLIS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis);
        let millis = number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        match millis.filter(|millis| *millis <= LONGEST) {
            Some(millis) => Ok(Self(Duration::from_millis(millis))),
            None => Err("expected a length of time such as \"500ms\", \"10s\", \"15m\", \"12h\" or \"90d\"".to_owned()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let fits = |(_, unit): &&(&str, u64)| millis != 0 && millis.is_multiple_of(*unit);
        match MILLIS.iter().find(fits) {
            Some((name, unit)) => write!(f, "{}{name}", millis / unit),
            None => f.write_str("0s"),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(Error::custom)
    }
}

impl Value for Span {
    fn shown(&self) -> Option<String> {
        Some(quoted(self))
    }
}

/// A number of bytes: a whole number, or one with KiB, MiB or GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

const BYTES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl Size {
    pub(crate) fn of(bytes: usize) -> Self {
        Self(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    pub(crate) fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
        let unit = match unit.trim_start() {
            "" => Some(1),
            unit => BYTES.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes),
        };
        let bytes = number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        bytes
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .map(Self)
            .ok_or_else(|| "expected a number of bytes such as 65536, \"64KiB\", \"16MiB\" or \"1GiB\"".to_owned())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match BYTES.iter().find(|(_, unit)| self.0 != 0 && self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes such as 65536, \"64KiB\" or \"16MiB\"")
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes).map(Size).map_err(|_| E::custom("a number of bytes is not negative"))
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl Value for Size {
    fn shown(&self) -> Option<String> {
        Some(if self.0 >= 1 << 10 && self.0.is_multiple_of(1 << 10) { quoted(self) } else { self.0.to_string() })
    }
}

/// Reads a section that may be a text alone, which then stands for its first key.
pub(crate) fn text_or_section<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + From<String>,
{
    struct Visitor<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de> + From<String>> serde::de::Visitor<'de> for Visitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a section")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            Ok(T::from(text.to_owned()))
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(serde::de::value::MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(Visitor(std::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        for (text, millis) in [("500ms", 500), ("10s", 10_000), ("15m", 900_000), ("12h", 43_200_000), ("0s", 0)] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.0.as_millis(), span.to_string()), (millis, text.to_owned()));
        }
        assert_eq!("60s".parse::<Span>().unwrap().to_string(), "1m");
        for bad in ["", "s", "10", "-1s", "1w", "1.5s", "10 s", "36501d", "99999999999999999999d", "1é"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_of_bytes_are_read_and_written() {
        for (text, bytes) in [("64KiB", 65_536), ("16MiB", 16 << 20), ("1 GiB", 1 << 30), ("1000", 1000), ("0", 0)] {
            assert_eq!(text.parse::<Size>().unwrap().0, bytes, "{text}");
        }
        assert_eq!((Size(65_536).shown(), Size(1000).shown()), (Some("\"64KiB\"".to_owned()), Some("1000".to_owned())));
        for bad in ["", "KiB", "1KB", "-1", "1.5MiB", "17179869184GiB", "1é"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_are_written_so_that_they_can_be_read() {
        for text in ["plain", "it's", "a \"quote\"", "back\\slash", "line\nbreak"] {
            let read: toml::Table = toml::from_str(&format!("a = {}", quoted(text))).unwrap();
            assert_eq!(read.get("a").and_then(toml::Value::as_str), Some(text));
        }
    }
}
