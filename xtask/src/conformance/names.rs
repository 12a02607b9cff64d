//! Numbers of statements, as the standards and as the tests write them.

use std::fmt;

/// A version of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standard {
    Mqtt5,
    Mqtt311,
}

impl Standard {
    /// The version's number.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Mqtt5 => "5.0",
            Self::Mqtt311 => "3.1.1",
        }
    }

    /// The file that lists its statements.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Mqtt5 => "mqtt-5.0.txt",
            Self::Mqtt311 => "mqtt-3.1.1.txt",
        }
    }

    fn from_token(token: &str) -> Option<Self> {
        match token {
            "mqtt5" => Some(Self::Mqtt5),
            "mqtt311" => Some(Self::Mqtt311),
            _ => None,
        }
    }
}

/// A normative statement: MQTT-3.1.2-24 is section 3.1.2, statement 24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Statement {
    pub(crate) standard: Standard,
    numbers: [u16; 4],
}

impl Statement {
    /// Reads `MQTT-3.1.2-24`.
    pub(crate) fn parse(standard: Standard, text: &str) -> Option<Self> {
        let (section, statement) = text.strip_prefix("MQTT-")?.split_once('-')?;
        let mut parts = section.split('.').chain([statement]).map(str::parse);
        let mut next = || parts.next()?.ok();
        let numbers = [next()?, next()?, next()?, next()?];
        parts.next().is_none().then_some(Self { standard, numbers })
    }

    /// `MQTT-3.1.2-24`.
    pub(crate) fn number(&self) -> String {
        let [a, b, c, n] = self.numbers;
        format!("MQTT-{a}.{b}.{c}-{n}")
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of MQTT {}", self.number(), self.standard.version())
    }
}

/// The statements that a test's name contains.
///
/// Four numbers must follow the version, or an `and` that continues with the same version.
pub(crate) fn statements(test: &str) -> Vec<Statement> {
    let tokens: Vec<&str> = test.split('_').collect();
    let mut found = Vec::new();
    let mut current = None;
    for (index, token) in tokens.iter().enumerate() {
        let standard = match Standard::from_token(token) {
            Some(standard) => standard,
            None if *token == "and" => match current {
                Some(standard) => standard,
                None => continue,
            },
            None => continue,
        };
        current = Some(standard);
        let mut numbers = tokens.iter().skip(index + 1).map(|token| token.parse().ok());
        let mut next = || numbers.next().flatten();
        if let (Some(a), Some(b), Some(c), Some(n)) = (next(), next(), next(), next()) {
            found.push(Statement { standard, numbers: [a, b, c, n] });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(test: &str) -> Vec<String> {
        statements(test).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_tells_its_statements() {
        assert_eq!(read("mqtt5_3_1_2_24_too_large"), ["MQTT-3.1.2-24 of MQTT 5.0"]);
        assert_eq!(
            read("mqtt5_1_5_4_1_and_mqtt311_1_5_3_1_ill_formed_utf8_is_refused"),
            ["MQTT-1.5.4-1 of MQTT 5.0", "MQTT-1.5.3-1 of MQTT 3.1.1"]
        );
        assert_eq!(
            read("mqtt311_2_3_1_1_and_2_3_1_5_ids"),
            ["MQTT-2.3.1-1 of MQTT 3.1.1", "MQTT-2.3.1-5 of MQTT 3.1.1"]
        );
    }

    #[test]
    fn other_names_tell_none() {
        assert_eq!(read("mqtt5_27_properties_and_15_packets"), Vec::<String>::new());
        assert_eq!(read("encode_and_decode_3_1_2_24"), Vec::<String>::new());
        assert_eq!(read("mqtt5_3_1_2_x"), Vec::<String>::new());
    }

    #[test]
    fn numbers_are_read_as_the_standard_writes_them() {
        let statement = Statement::parse(Standard::Mqtt5, "MQTT-3.1.2-24").map(|statement| statement.number());
        assert_eq!(statement.as_deref(), Some("MQTT-3.1.2-24"));
        assert_eq!(Statement::parse(Standard::Mqtt5, "MQTT-3.1-24"), None);
        assert_eq!(Statement::parse(Standard::Mqtt5, "MQTT-3.1.2-"), None);
        assert_eq!(Statement::parse(Standard::Mqtt5, "MQTT-3.1.2.1-4"), None);
    }
}
