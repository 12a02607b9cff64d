//! What came closest to allowing something: a search over the resources after a refusal.

use std::cmp::Reverse;
use std::sync::Arc;

use gridmq_proto::TopicFilter;

use super::Subject;
use crate::explain::Closest;
use crate::policy::{Binding, Policy};
use crate::principal::{Grant, Principal, Rights};
use crate::resource::Permission;
use crate::variables::ClientVariables;

/// What a candidate differs in, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Another value of a variable, and literal levels that agree.
    Value,
    Broader,
    Permission,
    Group,
    Unbound,
    /// Another value of a variable in a template of variables and wildcards, which says little.
    ValueAlone,
    Beginning,
    /// A granted template that is nothing for this client.
    Nothing,
}

/// How near a candidate is: the kind first, then the levels that agree. Smaller is nearer.
type Distance = (Kind, Reverse<usize>);

/// How many reasons for missing values are kept.
const KEPT_REASONS: usize = 3;

/// The nearest candidate so far.
#[derive(Default)]
struct Best(Option<(Distance, Closest)>);

impl Best {
    /// Keeps a candidate if it is nearer; the first of equals stays.
    fn offer(&mut self, kind: Kind, levels: usize, candidate: impl FnOnce() -> Closest) {
        let distance = (kind, Reverse(levels));
        if self.0.as_ref().is_none_or(|(best, _)| distance < *best) {
            self.0 = Some((distance, candidate()));
        }
    }
}

impl Policy {
    pub(super) fn closest(
        &self,
        principal: &Principal,
        rights: &Rights,
        wanted: Permission,
        subject: Subject<'_>,
    ) -> Closest {
        // After a change of resources the principal still carries its former attributes.
        let client = self.client(principal.authentication_name());
        let (authentication_name, attributes) = match client {
            Some(client) => (client.authentication_name(), &client.properties.attributes),
            None => (&**principal.authentication_name(), principal.attributes()),
        };
        let variables = ClientVariables { authentication_name, attributes };
        let member = self.memberships(authentication_name, attributes);
        let mut best = Best::default();
        for grant in rights.grants(wanted) {
            let levels = common_levels(subject.as_str(), grant.filter().as_str());
            best.offer(Kind::Beginning, levels, || Closest::Nearest { grant: grant.clone(), levels });
        }
        for binding in &self.bindings {
            let member = member.get(binding.group) == Some(&true);
            self.consider(&mut best, binding, member, wanted, subject, &variables);
        }
        self.consider_unbound(&mut best, wanted, subject, &variables);
        match best.0 {
            Some((_, closest)) => closest,
            None => Closest::NoGrant { groups: rights.groups.clone() },
        }
    }

    fn consider(
        &self,
        best: &mut Best,
        binding: &Binding,
        member: bool,
        wanted: Permission,
        subject: Subject<'_>,
        variables: &ClientVariables<'_>,
    ) {
        for (provenance, template) in self.templates(binding) {
            let resolved = template.resolve(variables);
            let fitting = resolved.filters.iter().find(|filter| subject.is_within(filter));
            match (member, binding.permission == wanted, fitting) {
                (true, false, Some(filter)) => best.offer(Kind::Permission, 0, || {
                    Closest::OtherPermission(Grant::new(Arc::clone(provenance), filter.clone()))
                }),
                (false, true, Some(filter)) => best.offer(Kind::Group, 0, || Closest::OtherGroup {
                    template: Grant::new(Arc::clone(provenance), filter.clone()),
                    query: self
                        .groups
                        .get(binding.group)
                        .and_then(|group| group.query.as_ref())
                        .map_or_else(String::new, |query| query.as_str().to_owned()),
                }),
                (true, true, None) => {
                    if let Some(part) = resolved.filters.iter().find(|filter| is_broader(subject, filter)) {
                        best.offer(Kind::Broader, 0, || {
                            Closest::Broader(Grant::new(Arc::clone(provenance), part.clone()))
                        });
                    }
                    let widest = template.widest();
                    let levels = widest.levels().filter(|level| !matches!(*level, "+" | "#")).count();
                    let kind = match (subject.is_within(widest), levels) {
                        (true, 1..) => Kind::Value,
                        (true, 0) => Kind::ValueAlone,
                        (false, _) if resolved.filters.is_empty() => Kind::Nothing,
                        (false, _) => continue,
                    };
                    best.offer(kind, levels, || Closest::OtherValue {
                        template: Arc::clone(provenance),
                        unresolved: resolved.unresolved.iter().take(KEPT_REASONS).map(ToString::to_string).collect(),
                        resolved: resolved.filters,
                    });
                }
                _ => {}
            }
        }
    }

    /// Topic spaces on which nobody has the permission.
    fn consider_unbound(
        &self,
        best: &mut Best,
        wanted: Permission,
        subject: Subject<'_>,
        variables: &ClientVariables<'_>,
    ) {
        for (at, space) in self.spaces.iter().enumerate() {
            if self.bindings.iter().any(|binding| binding.space == at && binding.permission == wanted) {
                continue;
            }
            let fits = |filter: &TopicFilter| subject.is_within(filter);
            let template = space.templates.iter().find(|it| it.resolve(variables).filters.iter().any(fits));
            if let Some(template) = template {
                best.offer(Kind::Unbound, 0, || Closest::NoBinding {
                    topic_space: Arc::clone(&space.name),
                    template: template.as_str().into(),
                });
            }
        }
    }
}

/// Whether the subject asks for all of `granted` and more.
fn is_broader(subject: Subject<'_>, granted: &TopicFilter) -> bool {
    match subject {
        Subject::Topic(_) => false,
        Subject::Filter(filter) => filter.covers(granted),
    }
}

/// How many levels agree from the start; a wildcard of the filter agrees with any.
fn common_levels(subject: &str, filter: &str) -> usize {
    let agree = |(left, right): &(&str, &str)| left == right || *right == "+";
    subject.split('/').zip(filter.split('/')).take_while(agree).count()
}
