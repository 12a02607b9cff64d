//! `--property`: MQTT 5.0 properties on the command line.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// Which packet a property goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet {
    Connect,
    Publish,
    Subscribe,
}

/// A property with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Property {
    ContentType(String),
    ResponseTopic(String),
    CorrelationData(Vec<u8>),
    MessageExpiryInterval(Duration),
    PayloadFormatIndicator(bool),
    SessionExpiryInterval(Duration),
    ReceiveMaximum(u16),
    MaximumPacketSize(u32),
    SubscriptionIdentifier(u32),
    User(String, String),
}

const NAMES: &str = "content-type, response-topic, correlation-data, message-expiry-interval and \
    payload-format-indicator (publish), session-expiry-interval, receive-maximum and maximum-packet-size (connect), \
    subscription-identifier (subscribe), user-property (all)";

/// What was given, one list of words for each `--property`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Properties(Vec<Vec<String>>);

impl Properties {
    /// The properties, each with the packet it is for. A user property without a packet's name is for `main`, and so
    /// is nothing that `main` cannot have and CONNECT cannot either.
    pub(crate) fn resolve(&self, main: Packet) -> Result<Vec<(Packet, Property)>, String> {
        self.0.iter().map(|words| resolve(words, main)).collect()
    }
}

fn resolve(words: &[String], main: Packet) -> Result<(Packet, Property), String> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let packet = match words.first().copied() {
        Some("connect") => Some(Packet::Connect),
        Some("publish") => Some(Packet::Publish),
        Some("subscribe") => Some(Packet::Subscribe),
        _ => None,
    };
    if packet.is_some() {
        words.remove(0);
    }
    // NAME=VALUE is NAME VALUE; only the name decides where it ends.
    if let Some((name, value)) = words.first().and_then(|first| first.split_once('=')) {
        words.splice(..1, [name, value]);
    }
    let [name, values @ ..] = words.as_slice() else { return Err(format!("expected a name; known are {NAMES}")) };
    let property = property(name, values)?;
    let home = match property {
        Property::User(..) => packet.unwrap_or(main),
        Property::SessionExpiryInterval(_) | Property::ReceiveMaximum(_) | Property::MaximumPacketSize(_) => {
            Packet::Connect
        }
        Property::SubscriptionIdentifier(_) => Packet::Subscribe,
        _ => Packet::Publish,
    };
    if packet.is_some_and(|packet| packet != home) || (home != Packet::Connect && home != main) {
        return Err(format!("{name} does not belong here; known are {NAMES}"));
    }
    Ok((home, property))
}

fn property(name: &str, values: &[&str]) -> Result<Property, String> {
    if name == "user-property" {
        let (key, value) = match values {
            [key, value] => (*key, *value),
            [pair] => pair.split_once('=').ok_or("user-property takes a key and a value")?,
            _ => return Err("user-property takes a key and a value".to_owned()),
        };
        return Ok(Property::User(key.to_owned(), value.to_owned()));
    }
    let [value] = values else { return Err(format!("{name} takes one value; known are {NAMES}")) };
    let seconds = || Ok::<_, String>(Duration::from_secs(u64::from(number::<u32>(name, value)?)));
    Ok(match name {
        "content-type" => Property::ContentType((*value).to_owned()),
        "response-topic" => Property::ResponseTopic((*value).to_owned()),
        "correlation-data" => Property::CorrelationData(value.as_bytes().to_vec()),
        "message-expiry-interval" => Property::MessageExpiryInterval(seconds()?),
        "payload-format-indicator" => match *value {
            "0" => Property::PayloadFormatIndicator(false),
            "1" => Property::PayloadFormatIndicator(true),
            _ => return Err("payload-format-indicator is 0 (bytes) or 1 (UTF-8)".to_owned()),
        },
        "session-expiry-interval" => Property::SessionExpiryInterval(seconds()?),
        "receive-maximum" => Property::ReceiveMaximum(number(name, value)?),
        "maximum-packet-size" => Property::MaximumPacketSize(number(name, value)?),
        "subscription-identifier" => Property::SubscriptionIdentifier(number(name, value)?),
        _ => return Err(format!("{name} is not known; known are {NAMES}")),
    })
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{name} takes a number, not {value:?} ({error})"))
}

impl FromArgMatches for Properties {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut properties = Self::default();
        properties.update_from_arg_matches(matches)?;
        Ok(properties)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        if let Some(occurrences) = matches.get_occurrences::<String>("property") {
            self.0 = occurrences.map(|words| words.cloned().collect()).collect();
        }
        Ok(())
    }
}

impl Args for Properties {
    fn augment_args(command: Command) -> Command {
        command.arg(
            Arg::new("property")
                .long("property")
                .short('D')
                .value_names(["[PACKET] NAME VALUE"])
                .num_args(1..=4)
                .action(ArgAction::Append)
                .help("An MQTT 5.0 property, as NAME VALUE or NAME=VALUE; may be repeated")
                .long_help(format!(
                    "An MQTT 5.0 property, as NAME VALUE or NAME=VALUE, perhaps after the packet it is for (connect, \
                     publish or subscribe); may be repeated. Known are {NAMES}."
                )),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(words: &[&str], main: Packet) -> Result<(Packet, Property), String> {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Properties(vec![words]).resolve(main).map(|mut all| all.remove(0))
    }

    #[test]
    fn properties_are_read_in_every_form() {
        let text = Property::ContentType("text/plain".to_owned());
        for words in [
            &["content-type=text/plain"][..],
            &["content-type", "text/plain"],
            &["publish", "content-type", "text/plain"],
            &["publish", "content-type=text/plain"],
        ] {
            assert_eq!(one(words, Packet::Publish), Ok((Packet::Publish, text.clone())));
        }
        let user = Property::User("k".to_owned(), "v=w".to_owned());
        for words in [&["user-property", "k", "v=w"][..], &["user-property", "k=v=w"], &["user-property=k=v=w"]] {
            assert_eq!(one(words, Packet::Subscribe), Ok((Packet::Subscribe, user.clone())));
        }
        assert_eq!(one(&["connect", "user-property", "k", "v=w"], Packet::Publish), Ok((Packet::Connect, user)));
        let expiry = Property::SessionExpiryInterval(Duration::from_secs(60));
        assert_eq!(one(&["session-expiry-interval", "60"], Packet::Subscribe), Ok((Packet::Connect, expiry)));
    }

    #[test]
    fn slips_are_refused() {
        for words in [
            &["content-typ", "a"][..],
            &["content-type"],
            &["content-type", "a", "b"],
            &["message-expiry-interval", "-1"],
            &["payload-format-indicator", "2"],
            &["connect", "content-type", "a"],
            &["subscription-identifier", "1"],
            &["user-property", "k"],
            &["publish"],
        ] {
            assert!(one(words, Packet::Publish).is_err(), "{words:?}");
        }
    }
}
