//! The rows of a table, one by one, as one read transaction sees them.

use std::ops::Bound;

use redb::{AccessGuard, Range, ReadableDatabase, TableError};

use super::{RedbEngine, caught, checksum, definition, failed, row_error};
use crate::{EngineError, Key, KeyValue, Rows, Table};

type Guard = AccessGuard<'static, &'static [u8]>;

pub(super) struct RedbRows {
    table: Table,
    checksums: bool,
    /// Nothing: the table does not exist.
    range: Option<Range<'static, &'static [u8], &'static [u8]>>,
    row: Option<(Guard, Guard)>,
}

impl RedbRows {
    pub(super) fn new(engine: &RedbEngine, table: Table, from: &Key, to: Option<&Key>) -> Result<Self, EngineError> {
        caught(|| {
            let transaction = engine.database.begin_read().map_err(failed)?;
            let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(&to.as_bytes()[..]));
            let range = match transaction.open_table(definition(table)) {
                Ok(rows) => Some(rows.range::<&[u8]>((Bound::Included(&from.as_bytes()[..]), to)).map_err(failed)?),
                Err(TableError::TableDoesNotExist(_)) => None,
                Err(error) => return Err(failed(error)),
            };
            Ok(Self { table, checksums: engine.checksums, range, row: None })
        })
    }
}

impl Rows for RedbRows {
    fn next(&mut self) -> Result<Option<KeyValue<'_>>, EngineError> {
        let Some(range) = &mut self.range else { return Ok(None) };
        self.row = caught(|| range.next().transpose().map_err(failed))?;
        let Some((key, value)) = &self.row else { return Ok(None) };
        let (key, stored) = (key.value(), value.value());
        if !self.checksums {
            return Ok(Some((key, stored)));
        }
        match checksum::checked(self.table.name(), key, stored) {
            Some(value) => Ok(Some((key, value))),
            None => Err(row_error(self.table, key)),
        }
    }
}
