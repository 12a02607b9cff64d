//! Rows of engines that read pages only.

use std::sync::Arc;

use bytes::Bytes;

use crate::{EngineError, Key, KeyValue, Reader, Rows, Table};

/// Rows read at once.
const PAGE: usize = 1000;

/// Rows out of pages, each of which sees what is committed when it is read.
pub(super) struct Pages {
    reader: Arc<dyn Reader>,
    table: Table,
    to: Option<Key>,
    page: std::vec::IntoIter<(Key, Bytes)>,
    row: Option<(Key, Bytes)>,
    next: Option<Key>,
}

impl Pages {
    pub(super) fn new(reader: Arc<dyn Reader>, table: Table, from: &Key, to: Option<&Key>) -> Self {
        let (to, next) = (to.cloned(), Some(from.clone()));
        Self { reader, table, to, page: Vec::new().into_iter(), row: None, next }
    }
}

impl Rows for Pages {
    fn next(&mut self) -> Result<Option<KeyValue<'_>>, EngineError> {
        self.row = self.page.next();
        if self.row.is_none()
            && let Some(from) = self.next.take()
        {
            let page = self.reader.scan(self.table, &Key::ANY, Some(&from), PAGE)?;
            self.page = page.entries.into_iter();
            self.next = page.next;
            self.row = self.page.next();
        }
        let row = self.row.as_ref().filter(|(key, _)| self.to.as_ref().is_none_or(|to| key < to));
        Ok(row.map(|(key, value)| (&key.as_bytes()[..], &value[..])))
    }
}
