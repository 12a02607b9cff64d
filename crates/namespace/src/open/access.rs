//! Who may publish and subscribe to what.

mod overlap;
mod parse;
mod words;

pub use parse::{AccessProblem, AccessProblemKind, MAX_ACCESS_BYTES, MAX_MEMBERS, MAX_RULES};
pub use words::{AccessRefusal, NearestRule};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridmq_proto::topic::{AttributeValues, TopicTemplate, Variables};
use gridmq_proto::{TopicFilter, TopicName};

use crate::explain::Explanation;
use crate::gate::Verdict;
use crate::resource::Permission;
use overlap::overlaps;

/// Rules in order: the first that matches decides, and what none matches is denied.
///
/// One rule is a line, `allow` or `deny`, then who, then `publish`, `subscribe` or `all`, then one or more topic
/// filters:
///
/// ```text
/// group operators = alice bob
///
/// deny   everyone            publish    plant/locked/#
/// allow  group operators     all        plant/#
/// allow  user carol          subscribe  plant/+/temperature
/// allow  users               publish    devices/${client.authenticationName}/#
/// allow  client "press 7"    publish    press/7
/// allow  anonymous           subscribe  public/#
/// ```
///
/// Who is `everyone`; `users`, whoever has proven a name; `anonymous`, whoever has not; `user NAME`; `group NAME`;
/// `client ID`, a client identifier, which proves nothing; or several of these, all of which must hold. In a filter
/// `${client.authenticationName}` stands for the proven name and `${client.id}` for the client identifier. Names with
/// white space stand in double quotes, in which `\` takes the next character as it is. A line that begins with `#` is a
/// comment. `+` and `#` match topics as in a subscription, so not those that begin with `$`.
///
/// A subscription is allowed by the first rule that allows every topic of its filter, unless a rule before it denies
/// one of them: no topic is received that may not be. A will, and a retained message, is a publish.
#[derive(Debug, Clone, Default)]
pub struct Access {
    rules: Vec<Arc<AccessRule>>,
    groups: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
}

/// One rule.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessRule {
    /// The number of its line, from 1.
    pub line: usize,
    /// The line.
    pub text: Box<str>,
    /// Whether it allows or denies.
    pub allows: bool,
    who: Vec<Who>,
    publish: bool,
    subscribe: bool,
    topics: Vec<Topics>,
}

/// A filter of a rule, in which values of the client may have to be filled in.
#[derive(Debug, PartialEq, Eq)]
struct Topics {
    template: TopicTemplate,
    /// If there is nothing to fill in.
    fixed: Option<TopicFilter>,
}

/// Whom a rule is for.
#[derive(Debug, PartialEq, Eq)]
enum Who {
    Everyone,
    Users,
    Anonymous,
    User(Box<str>),
    Group(Box<str>),
    Client(Box<str>),
}

/// Whom a decision is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Party<'a> {
    /// The proven name; `None` for those who have proven none.
    pub(crate) user: Option<&'a str>,
    pub(crate) client_id: &'a str,
}

/// What it wants to use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    Publish(&'a TopicName),
    Subscribe(&'a TopicFilter),
}

impl Wanted<'_> {
    const fn permission(&self) -> Permission {
        match self {
            Self::Publish(_) => Permission::Publisher,
            Self::Subscribe(_) => Permission::Subscriber,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Publish(topic) => topic.as_str(),
            Self::Subscribe(filter) => filter.as_str(),
        }
    }

    fn is_within(&self, filter: &TopicFilter) -> bool {
        match self {
            Self::Publish(topic) => filter.matches(topic),
            Self::Subscribe(wanted) => filter.covers(wanted),
        }
    }

    fn touches(&self, filter: &TopicFilter) -> bool {
        match self {
            Self::Publish(topic) => filter.matches(topic),
            Self::Subscribe(wanted) => overlaps(filter, wanted),
        }
    }
}

impl Access {
    /// Reads rules.
    ///
    /// # Errors
    /// Every line that is wrong, up to 20, with its number and what to do.
    pub fn parse(text: &str) -> Result<Self, Vec<AccessProblem>> {
        parse::parse(text)
    }

    /// The rules in order.
    #[must_use]
    pub fn rules(&self) -> &[Arc<AccessRule>] {
        &self.rules
    }

    /// How many groups of users there are.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The users that groups and rules name, in order.
    #[must_use]
    pub fn named_users(&self) -> BTreeSet<&str> {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.who).filter_map(|who| match who {
            Who::User(name) => Some(&**name),
            _ => None,
        });
        self.groups.values().flatten().map(|name| &**name).chain(of_rules).collect()
    }

    /// The rules that are for a party, by place.
    pub(crate) fn applicable(&self, party: Party<'_>) -> Box<[u32]> {
        let mine = self.rules.iter().enumerate().filter(|(_, rule)| self.is_for(rule, party));
        mine.filter_map(|(at, _)| u32::try_from(at).ok()).collect()
    }

    /// Decides, by the rules at those places, which must be [`applicable`](Self::applicable).
    pub(crate) fn decide(&self, mine: &[u32], party: Party<'_>, wanted: Wanted<'_>) -> Verdict {
        let rules = mine.iter().filter_map(|at| self.rules.get(usize::try_from(*at).ok()?));
        let mut narrower = None;
        for rule in rules.filter(|rule| rule.permits(wanted.permission())) {
            if rule.allows {
                if rule.filters(party).any(|filter| wanted.is_within(&filter)) {
                    return Verdict::Allowed(Explanation::AccessRule(Arc::clone(rule)));
                }
                if narrower.is_none() {
                    let part = rule.filters(party).find(|filter| wanted.touches(filter));
                    narrower = part.map(|filter| (Arc::clone(rule), filter));
                }
            } else if let Some(filter) = rule.denied(party).find(|filter| wanted.touches(filter)) {
                return self.refuse(party, wanted, NearestRule::Denies { rule: Arc::clone(rule), filter });
            }
        }
        let nearest = match narrower {
            Some((rule, filter)) => NearestRule::Narrower { rule, filter },
            None => self.nearest(mine, party, wanted),
        };
        self.refuse(party, wanted, nearest)
    }

    fn refuse(&self, party: Party<'_>, wanted: Wanted<'_>, nearest: NearestRule) -> Verdict {
        let refusal = AccessRefusal {
            permission: wanted.permission(),
            subject: wanted.as_str().to_owned(),
            user: party.user.map(str::to_owned),
            nearest,
        };
        Verdict::Denied(Explanation::AccessRefused(Arc::new(refusal)))
    }

    /// What would allow it if something were different.
    fn nearest(&self, mine: &[u32], party: Party<'_>, wanted: Wanted<'_>) -> NearestRule {
        let matches =
            |rule: &&Arc<AccessRule>| rule.allows && rule.filters(party).any(|filter| wanted.is_within(&filter));
        let own = mine.iter().filter_map(|at| self.rules.get(usize::try_from(*at).ok()?));
        if let Some(rule) = own.filter(|rule| !rule.permits(wanted.permission())).find(matches) {
            return NearestRule::OtherAction(Arc::clone(rule));
        }
        let others = self.rules.iter().filter(|rule| rule.permits(wanted.permission()) && !self.is_for(rule, party));
        others.take(LOOKED_AT).find(matches).map_or(NearestRule::None, |rule| NearestRule::OtherParty(Arc::clone(rule)))
    }

    fn is_for(&self, rule: &AccessRule, party: Party<'_>) -> bool {
        rule.who.iter().all(|who| match who {
            Who::Everyone => true,
            Who::Users => party.user.is_some(),
            Who::Anonymous => party.user.is_none(),
            Who::User(name) => party.user == Some(name),
            Who::Group(name) => {
                let members = self.groups.get(&**name);
                party.user.is_some_and(|user| members.is_some_and(|members| members.contains(user)))
            }
            Who::Client(id) => party.client_id == &**id,
        })
    }
}

/// Rules for others that a refusal is explained with.
const LOOKED_AT: usize = 100;

/// The key under which a template asks for the client identifier.
const CLIENT_ID: &str = "gridmq_client_id";

impl AccessRule {
    const fn permits(&self, permission: Permission) -> bool {
        match permission {
            Permission::Publisher => self.publish,
            Permission::Subscriber => self.subscribe,
        }
    }

    /// Its filters with the party's values; without those that have no value.
    fn filters<'a>(&'a self, party: Party<'a>) -> impl Iterator<Item = TopicFilter> + 'a {
        self.topics.iter().flat_map(move |topics| topics.filters(party))
    }

    /// Its filters with the party's values; where there is no value, with any: nothing that a rule denies is allowed
    /// because a value could not be filled in.
    fn denied<'a>(&'a self, party: Party<'a>) -> impl Iterator<Item = TopicFilter> + 'a {
        self.topics.iter().flat_map(move |topics| {
            let filters = topics.filters(party);
            if filters.is_empty() { vec![topics.template.widest().clone()] } else { filters }
        })
    }
}

impl Topics {
    fn filters(&self, party: Party<'_>) -> Vec<TopicFilter> {
        match &self.fixed {
            Some(filter) => vec![filter.clone()],
            None => self.template.resolve(&Values(party)).filters,
        }
    }
}

/// A party's values. One without a proven name has none: a filter with it is for nobody.
struct Values<'a>(Party<'a>);

impl Variables for Values<'_> {
    fn authentication_name(&self) -> &str {
        self.0.user.unwrap_or_default()
    }

    fn attribute(&self, key: &str) -> AttributeValues<'_> {
        match key {
            CLIENT_ID if !self.0.client_id.is_empty() => AttributeValues::one(self.0.client_id),
            _ => AttributeValues::none(),
        }
    }
}

#[cfg(test)]
mod tests;
