//! Text to rules.

use std::sync::Arc;

use gridmq_proto::TopicFilter;
use gridmq_proto::topic::{TemplateErrorKind, TopicTemplate};

use super::{Access, AccessRule, CLIENT_ID, Topics, Who};
use crate::shown::named;

/// Bytes of the largest text of rules that is read.
pub const MAX_ACCESS_BYTES: usize = 4 * 1024 * 1024;
/// The most rules.
pub const MAX_RULES: usize = 10_000;
/// The most members of all groups together.
pub const MAX_MEMBERS: usize = 100_000;
/// How many wrong lines are named at once.
const MAX_PROBLEMS: usize = 20;

/// A line of rules that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
#[non_exhaustive]
pub struct AccessProblem {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub kind: AccessProblemKind,
}

/// What is wrong with a line of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessProblemKind {
    /// The first word.
    #[error("a line begins with 'allow', 'deny', 'group' or '#', not with {}; see 'gridmq serve --help'", named(.0))]
    Start(String),
    /// Nothing says whom the rule is for.
    #[error(
        "{} is nobody; say everyone, users, anonymous, user NAME, group NAME or client ID after 'allow' or 'deny'",
        named(.0)
    )]
    Who(String),
    /// `user`, `group` or `client` without a name.
    #[error("'{0}' needs a name after it")]
    NoName(&'static str),
    /// Nothing says what is allowed.
    #[error("after whom it is for, a rule says publish, subscribe or all")]
    NoAction,
    /// No filter.
    #[error("a rule ends with at least one topic filter; '#' is every topic")]
    NoTopics,
    /// A filter that is none.
    #[error("the topic filter {} is wrong: {kind}", named(.text))]
    Topic {
        /// The filter.
        text: String,
        /// What is wrong with it.
        kind: TemplateErrorKind,
    },
    /// A variable that rules do not have.
    #[error(
        "the topic filter {} has an unknown variable; use ${{client.authenticationName}} or ${{client.id}}",
        named(.0)
    )]
    Variable(String),
    /// A group that no line defines.
    #[error("there is no group {}; define it by a line 'group NAME = USER USER…'", named(.0))]
    NoGroup(String),
    /// A group that an earlier line defines.
    #[error("the group {} is defined already; make one line of the two", named(.0))]
    DuplicateGroup(String),
    /// `group` that is not followed by a name and `=`.
    #[error("a group is defined by 'group NAME = USER USER…', with white space around the '='")]
    Group,
    /// A double quote without its other one.
    #[error("a double quote is not closed; add the other one")]
    Quote,
    /// More than [`MAX_RULES`].
    #[error("there are more than {MAX_RULES} rules; use groups and ${{client.authenticationName}}")]
    TooManyRules,
    /// More than [`MAX_MEMBERS`].
    #[error("groups have more than {MAX_MEMBERS} members together; use 'users' or ${{client.authenticationName}}")]
    TooManyMembers,
    /// More than [`MAX_ACCESS_BYTES`].
    #[error("the rules are longer than {MAX_ACCESS_BYTES} bytes; use groups and ${{client.authenticationName}}")]
    TooLarge,
}

pub(super) fn parse(text: &str) -> Result<Access, Vec<AccessProblem>> {
    if text.len() > MAX_ACCESS_BYTES {
        return Err(vec![AccessProblem { line: 1, kind: AccessProblemKind::TooLarge }]);
    }
    let mut access = Access::default();
    let mut problems = Vec::new();
    let mut members = 0;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(kind) = read_line(&mut access, &mut members, at + 1, line) {
            problems.push(AccessProblem { line: at + 1, kind });
            if problems.len() == MAX_PROBLEMS {
                break;
            }
        }
    }
    if problems.is_empty() {
        // A group may be defined after the rules that name it.
        for rule in &access.rules {
            for who in &rule.who {
                if let Who::Group(name) = who
                    && !access.groups.contains_key(&**name)
                    && problems.len() < MAX_PROBLEMS
                {
                    let kind = AccessProblemKind::NoGroup(name.to_string());
                    problems.push(AccessProblem { line: rule.line, kind });
                }
            }
        }
    }
    if problems.is_empty() { Ok(access) } else { Err(problems) }
}

fn read_line(access: &mut Access, members: &mut usize, number: usize, line: &str) -> Result<(), AccessProblemKind> {
    let words = words(line)?;
    let mut words = words.iter().map(|word| (&*word.text, word.quoted));
    match words.next() {
        Some(("allow", false)) => read_rule(access, number, line, true, words),
        Some(("deny", false)) => read_rule(access, number, line, false, words),
        Some(("group", false)) => {
            let Some((name, _)) = words.next().filter(|word| *word != ("=", false)) else {
                return Err(AccessProblemKind::Group);
            };
            if words.next() != Some(("=", false)) {
                return Err(AccessProblemKind::Group);
            }
            if access.groups.contains_key(name) {
                return Err(AccessProblemKind::DuplicateGroup(name.to_owned()));
            }
            let users: std::collections::BTreeSet<Arc<str>> = words.map(|(user, _)| user.into()).collect();
            *members += users.len();
            if *members > MAX_MEMBERS {
                return Err(AccessProblemKind::TooManyMembers);
            }
            access.groups.insert(name.into(), users);
            Ok(())
        }
        first => Err(AccessProblemKind::Start(first.map(|(text, _)| text.to_owned()).unwrap_or_default())),
    }
}

fn read_rule<'a>(
    access: &mut Access,
    line: usize,
    text: &str,
    allows: bool,
    mut words: impl Iterator<Item = (&'a str, bool)>,
) -> Result<(), AccessProblemKind> {
    if access.rules.len() == MAX_RULES {
        return Err(AccessProblemKind::TooManyRules);
    }
    let mut who = Vec::new();
    let (publish, subscribe) = loop {
        let Some((word, quoted)) = words.next() else {
            return Err(if who.is_empty() {
                AccessProblemKind::Who(String::new())
            } else {
                AccessProblemKind::NoAction
            });
        };
        if !who.is_empty() {
            match word {
                "publish" => break (true, false),
                "subscribe" => break (false, true),
                "all" => break (true, true),
                _ => {}
            }
        }
        let mut name = |of| words.next().map(|(name, _)| name.into()).ok_or(AccessProblemKind::NoName(of));
        who.push(match word {
            _ if quoted => return Err(AccessProblemKind::Who(word.to_owned())),
            "everyone" => Who::Everyone,
            "users" => Who::Users,
            "anonymous" => Who::Anonymous,
            "user" => Who::User(name("user")?),
            "group" => Who::Group(name("group")?),
            "client" => Who::Client(name("client")?),
            _ if who.is_empty() => return Err(AccessProblemKind::Who(word.to_owned())),
            _ => return Err(AccessProblemKind::NoAction),
        });
    };
    let topics = words.map(|(topic, _)| read_topics(topic)).collect::<Result<Vec<_>, _>>()?;
    if topics.is_empty() {
        return Err(AccessProblemKind::NoTopics);
    }
    let rule = AccessRule { line, text: text.into(), allows, who, publish, subscribe, topics };
    access.rules.push(Arc::new(rule));
    Ok(())
}

fn read_topics(text: &str) -> Result<Topics, AccessProblemKind> {
    // Templates know clients' attributes, and here a client has one, its identifier.
    if text.contains(".attributes.") && text.contains("${") {
        return Err(AccessProblemKind::Variable(text.to_owned()));
    }
    let written = text
        .replace("${client.id}", &format!("${{client.attributes.{CLIENT_ID}}}"))
        .replace("${client.id|", &format!("${{client.attributes.{CLIENT_ID}|"));
    let template = TopicTemplate::parse(&written).map_err(|error| match error.kind {
        TemplateErrorKind::UnknownVariable | TemplateErrorKind::BadKey => AccessProblemKind::Variable(text.to_owned()),
        kind => AccessProblemKind::Topic { text: text.to_owned(), kind },
    })?;
    let fixed = if template.has_variables() { None } else { TopicFilter::try_from(text).ok() };
    Ok(Topics { template, fixed })
}

struct Word {
    text: String,
    /// It is no word of the language.
    quoted: bool,
}

fn words(line: &str) -> Result<Vec<Word>, AccessProblemKind> {
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(words);
        }
        let mut text = String::new();
        let quoted = rest.next_if_eq(&'"').is_some();
        if quoted {
            loop {
                match rest.next().ok_or(AccessProblemKind::Quote)? {
                    '"' => break,
                    '\\' => text.push(rest.next().ok_or(AccessProblemKind::Quote)?),
                    c => text.push(c),
                }
            }
        } else {
            while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
                text.push(c);
            }
        }
        words.push(Word { text, quoted });
    }
}
