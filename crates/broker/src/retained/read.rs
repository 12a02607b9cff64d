//! Reading retained messages without a subscription.

use std::ops::Bound;

use bytestring::ByteString;

use super::{Cursor, Query, Retained, RetainedStore, SHARDS};

impl RetainedStore {
    /// Looks at no more than `slice` topics from `cursor` on, and hands at most `limit` that the query is for to
    /// `take`. What has expired is left out. `true`: the list is at its end.
    pub(crate) fn read(
        &self,
        query: &Query<'_>,
        cursor: &mut Cursor,
        mut slice: usize,
        mut limit: usize,
        mut take: impl FnMut(&Retained),
    ) -> bool {
        let &Query { namespace, filter, wall, .. } = query;
        let prefix = filter.literal_prefix();
        let start = prefix.strip_suffix('/').unwrap_or(prefix);
        let only = filter.as_str().split('/').next().filter(|level| !matches!(*level, "+" | "#"));
        let only = only.map(|level| self.shard_of(level));
        while cursor.shard < SHARDS {
            if only.is_none_or(|only| only == cursor.shard)
                && let Some(shard) = self.shards.get(cursor.shard)
            {
                let from = cursor.after.clone().map_or_else(
                    || Bound::Included((namespace, ByteString::from(start))),
                    |after| Bound::Excluded((namespace, after)),
                );
                for (key, retained) in shard.lock().range((from, Bound::Unbounded)) {
                    if key.0 != namespace || !key.1.starts_with(start) {
                        break;
                    }
                    if slice == 0 || limit == 0 {
                        return false;
                    }
                    slice -= 1;
                    cursor.after = Some(key.1.clone());
                    if retained.expires_at.is_none_or(|at| at > wall)
                        && filter.matches(&retained.message.message().topic)
                    {
                        limit -= 1;
                        take(retained);
                    }
                }
            }
            cursor.shard += 1;
            cursor.after = None;
        }
        true
    }
}
