//! Whether two filters have a topic in common.

use gridmq_proto::TopicFilter;

/// Whether there may be a topic that both filters match. Never false where there is one.
pub(super) fn overlaps(one: &TopicFilter, other: &TopicFilter) -> bool {
    let leads_with_wildcard = |filter: &TopicFilter| filter.as_str().starts_with(['+', '#']);
    let is_reserved = |filter: &TopicFilter| filter.as_str().starts_with('$');
    if (leads_with_wildcard(one) && is_reserved(other)) || (is_reserved(one) && leads_with_wildcard(other)) {
        return false;
    }
    let (mut ours, mut theirs) = (one.levels(), other.levels());
    loop {
        match (ours.next(), theirs.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(our), Some(their)) if our == "+" || their == "+" || our == their => {}
            _ => return false,
        }
    }
}
