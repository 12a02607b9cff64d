//! Topics with named levels: `vehicles/{vehicle}/position`.

use std::fmt;

use gridmq_proto::topic::TopicError;
use gridmq_proto::{ByteString, SubscriptionFilter, TopicFilter, TopicName};

/// One level.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Level {
    Literal(ByteString),
    Parameter(ByteString),
    /// `+`
    One,
    /// `#`
    Rest,
}

/// A topic filter some of whose levels have names: `vehicles/{vehicle}/position`.
///
/// It makes the topics to publish to and the filters to subscribe to, and takes the values out of the topics that
/// arrive. A parameter stands for one whole level. `+` and `#` stand for what they mean in a filter.
///
/// ```
/// use gridmq_client::TopicTemplate;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let position = TopicTemplate::parse("vehicles/{vehicle}/position")?;
/// assert_eq!(position.filter().as_str(), "vehicles/+/position");
/// let topic = position.with("vehicle", "truck-7")?.topic()?;
/// assert_eq!(topic.as_str(), "vehicles/truck-7/position");
/// assert_eq!(position.value("vehicle", &topic), Some("truck-7"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TopicTemplate {
    levels: Vec<Level>,
    /// With `+` in place of each parameter.
    filter: TopicFilter,
}

/// Why a template, or what is to be put into it, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Without its parameters it is no topic filter.
    #[error("the template is no topic filter: {0}")]
    Filter(TopicError),
    /// A brace that is not the first or last character of its level, or nothing between two.
    #[error(
        "level {level:?} is neither a parameter nor without braces: a parameter is a whole level, such as {{name}}"
    )]
    Braces {
        /// The level.
        level: ByteString,
    },
    /// Two levels have the same name.
    #[error("the parameter {{{name}}} is there twice: give each level a name of its own")]
    Twice {
        /// The name.
        name: ByteString,
    },
    /// There is no such parameter.
    #[error("the template {template} has no parameter {{{name}}}")]
    Unknown {
        /// The name.
        name: ByteString,
        /// The template.
        template: String,
    },
    /// A value with a character that would make another topic of it.
    #[error("the value of {{{name}}} has the character {character:?} in it, which one level of a topic cannot have")]
    Character {
        /// The parameter.
        name: ByteString,
        /// Which.
        character: char,
    },
    /// A topic that begins with `$` belongs to the server, and no filter that begins with a parameter matches it
    /// [MQTT-4.7.2-1].
    #[error("the value of {{{name}}} would make a topic that begins with '$', which are the server's own")]
    Reserved {
        /// The parameter.
        name: ByteString,
    },
    /// One topic was asked for, and this level stands for many.
    #[error("nothing can be published to {template}: {level} stands for more than one level's name")]
    Open {
        /// The level.
        level: ByteString,
        /// The template.
        template: String,
    },
    /// What was put in does not make a topic.
    #[error("with these values it is no topic: {0}")]
    Topic(TopicError),
}

impl TopicTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// If a parameter is not a whole level or there twice, or the rest is no topic filter.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut levels: Vec<Level> = Vec::new();
        for level in text.split('/') {
            let level = match level {
                "+" => Level::One,
                "#" => Level::Rest,
                _ => match level.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                    Some(name) if !name.is_empty() && !name.contains(['{', '}', '+', '#', '\0']) => {
                        Level::Parameter(name.into())
                    }
                    None if !level.contains(['{', '}']) => Level::Literal(level.into()),
                    _ => return Err(TemplateError::Braces { level: level.into() }),
                },
            };
            levels.push(level);
        }
        let mut names: Vec<&ByteString> = levels.iter().filter_map(Level::name).collect();
        names.sort_unstable();
        if let Some(name) = names.windows(2).find_map(|pair| (pair.first() == pair.last()).then(|| pair.first())) {
            return Err(TemplateError::Twice { name: name.map(|name| (*name).clone()).unwrap_or_default() });
        }
        Self::new(levels)
    }

    fn new(levels: Vec<Level>) -> Result<Self, TemplateError> {
        let filter = join(&levels, |level| match level {
            Level::Parameter(_) => "+",
            other => other.as_str(),
        });
        let filter = TopicFilter::try_from(filter).map_err(TemplateError::Filter)?;
        Ok(Self { levels, filter })
    }

    /// The names of its parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.levels.iter().filter_map(Level::name).map(|name| &**name)
    }

    /// Puts a value into the parameter's place.
    ///
    /// # Errors
    /// If there is no such parameter, or the value is not one level of a topic.
    pub fn with(&self, name: &str, value: &str) -> Result<Self, TemplateError> {
        let place = self.place(name).ok_or_else(|| self.unknown(name))?;
        if let Some(character) = value.chars().find(|character| matches!(character, '/' | '+' | '#' | '\0')) {
            return Err(TemplateError::Character { name: name.into(), character });
        }
        if place == 0 && value.starts_with('$') {
            return Err(TemplateError::Reserved { name: name.into() });
        }
        self.put(place, Level::Literal(value.into()))
    }

    /// Puts in each value whose parameter there is, and leaves the others: those of another template, for example.
    ///
    /// # Errors
    /// If a value is not one level of a topic.
    pub fn with_all<'v>(&self, values: impl IntoIterator<Item = (&'v str, &'v str)>) -> Result<Self, TemplateError> {
        let mut filled = self.clone();
        for (name, value) in values {
            if filled.place(name).is_some() {
                filled = filled.with(name, value)?;
            }
        }
        Ok(filled)
    }

    /// Puts `+` into the parameter's place.
    ///
    /// # Errors
    /// If there is no such parameter.
    pub fn without(&self, name: &str) -> Result<Self, TemplateError> {
        let place = self.place(name).ok_or_else(|| self.unknown(name))?;
        self.put(place, Level::One)
    }

    fn put(&self, place: usize, level: Level) -> Result<Self, TemplateError> {
        let mut levels = self.levels.clone();
        if let Some(there) = levels.get_mut(place) {
            *there = level;
        }
        Self::new(levels)
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.name().is_some_and(|there| there == name))
    }

    fn unknown(&self, name: &str) -> TemplateError {
        TemplateError::Unknown { name: name.into(), template: self.to_string() }
    }

    /// The topic that it names once every parameter has a value.
    ///
    /// # Errors
    /// If a parameter has none, or there is a wildcard.
    pub fn topic(&self) -> Result<TopicName, TemplateError> {
        if let Some(open) = self.levels.iter().find(|level| !matches!(level, Level::Literal(_))) {
            let level = join(std::slice::from_ref(open), Level::as_str).into();
            return Err(TemplateError::Open { level, template: self.to_string() });
        }
        TopicName::try_from(join(&self.levels, Level::as_str)).map_err(TemplateError::Topic)
    }

    /// What to subscribe to: `+` stands in the place of each parameter.
    #[must_use]
    pub const fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// What to subscribe to for its topics and everything below them: [`filter`](Self::filter) with `/#` behind.
    ///
    /// # Errors
    /// If the filter becomes too long by that.
    pub fn tree_filter(&self) -> Result<TopicFilter, TemplateError> {
        if self.levels.last() == Some(&Level::Rest) {
            return Ok(self.filter.clone());
        }
        TopicFilter::try_from(format!("{}/#", self.filter.as_str())).map_err(TemplateError::Filter)
    }

    /// Whether the topic is one of its own.
    #[must_use]
    pub fn matches(&self, topic: &TopicName) -> bool {
        self.filter.matches(topic)
    }

    /// The names and values of the parameters in that topic, from left to right; `None` if it is not one of its own.
    #[must_use]
    pub fn values<'t>(&'t self, topic: &'t TopicName) -> Option<Vec<(&'t str, &'t str)>> {
        self.matches(topic).then(|| {
            let levels = self.levels.iter().zip(topic.levels());
            levels.filter_map(|(level, value)| Some((&**level.name()?, value))).collect()
        })
    }

    /// The value of one parameter in that topic.
    #[must_use]
    pub fn value<'t>(&self, name: &str, topic: &'t TopicName) -> Option<&'t str> {
        let place = self.place(name).filter(|_| self.matches(topic))?;
        topic.levels().nth(place)
    }

    /// The levels that all templates begin with, the longest such template; `None` if the first levels differ. Its
    /// [`tree_filter`](Self::tree_filter) covers all of them.
    #[must_use]
    pub fn common_prefix<'t>(templates: impl IntoIterator<Item = &'t Self>) -> Option<Self> {
        let mut templates = templates.into_iter();
        let mut levels = templates.next()?.levels.clone();
        for template in templates {
            let common = levels.iter().zip(&template.levels).take_while(|(a, b)| a == b).count();
            levels.truncate(common);
        }
        // One empty level is no filter.
        Self::new(levels).ok()
    }
}

impl Level {
    const fn name(&self) -> Option<&ByteString> {
        match self {
            Self::Parameter(name) => Some(name),
            Self::Literal(_) | Self::One | Self::Rest => None,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Parameter(text) => text,
            Self::One => "+",
            Self::Rest => "#",
        }
    }
}

fn join<'l>(levels: &'l [Level], show: impl Fn(&'l Level) -> &'l str) -> String {
    let mut text = String::new();
    for (place, level) in levels.iter().enumerate() {
        if place != 0 {
            text.push('/');
        }
        text.push_str(show(level));
    }
    text
}

impl PartialEq for TopicTemplate {
    fn eq(&self, other: &Self) -> bool {
        self.levels == other.levels
    }
}

impl Eq for TopicTemplate {}

/// As it was written, with the values in it.
impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, level) in self.levels.iter().enumerate() {
            let between = if place == 0 { "" } else { "/" };
            match level {
                Level::Parameter(name) => write!(f, "{between}{{{name}}}")?,
                other => write!(f, "{between}{}", other.as_str())?,
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for TopicTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// For [`Client::subscribe`](crate::Client::subscribe): `+` stands in the place of each parameter.
impl From<&TopicTemplate> for SubscriptionFilter {
    fn from(template: &TopicTemplate) -> Self {
        Self::Plain(template.filter.clone())
    }
}

#[cfg(test)]
mod tests;
