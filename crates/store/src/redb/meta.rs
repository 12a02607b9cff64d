//! Whose file it is, and in which format.
//!
//! | key in the table `meta` | value |
//! |---|---|
//! | `format` | `u32` version of the layout, big-endian: 1 |
//! | `kind` | `broker` or `client` |
//! | `made-by` | version of the program that made it |
//!
//! These rows have no checksum of their own. A client's session has a `format` and a `client`, and no `kind`.

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition, TableError, TableHandle};

use super::open::Kind;
use super::{EngineError, failed};
use crate::{Key, NamespaceId};

/// Its name.
pub(super) const TABLE: &str = "meta";
const META: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new(TABLE);
const FORMAT: u32 = 1;

/// What a file says of itself.
pub(super) enum Found {
    /// It is what is wanted, or is now.
    Known,
    Format(u32),
    Kind(String),
    /// There are rows, and nothing says whose.
    Nothing,
}

fn key(name: &str) -> Key {
    Key::new(NamespaceId::DEFAULT, &[name.as_bytes()])
}

/// Looks whether the file is of this kind and format. One without rows becomes it.
pub(super) fn check(database: &Database, wanted: Kind) -> Result<Found, EngineError> {
    let read = database.begin_read().map_err(failed)?;
    let meta = match read.open_table(META) {
        Ok(meta) => Some(meta),
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(failed(error)),
    };
    let value = |name: &str| -> Result<Option<Vec<u8>>, EngineError> {
        let Some(meta) = &meta else { return Ok(None) };
        let value = meta.get(&key(name).as_bytes()[..]).map_err(failed)?;
        Ok(value.map(|value| value.value().to_vec()))
    };
    let kind = match value("kind")? {
        Some(kind) => Some(String::from_utf8_lossy(&kind).into_owned()),
        None => value("client")?.map(|_| Kind::Client.as_str().to_owned()),
    };
    match (kind, wanted) {
        (Some(kind), wanted) if kind != wanted.as_str() => return Ok(Found::Kind(kind)),
        // The client looks at its format itself.
        (_, Kind::Client) => return Ok(Found::Known),
        (Some(_), Kind::Broker) => {
            let format = value("format")?.and_then(|format| format.try_into().ok()).map(u32::from_be_bytes);
            return Ok(match format {
                Some(FORMAT) => Found::Known,
                Some(other) => Found::Format(other),
                None => Found::Nothing,
            });
        }
        (None, Kind::Broker) => {}
    }
    for table in read.list_tables().map_err(failed)? {
        let rows = TableDefinition::<&[u8], &[u8]>::new(table.name());
        if read.open_table(rows).map_err(failed)?.len().map_err(failed)? > 0 {
            return Ok(Found::Nothing);
        }
    }
    drop(read);
    let write = database.begin_write().map_err(failed)?;
    {
        let mut meta = write.open_table(META).map_err(failed)?;
        for (name, value) in [
            ("format", &FORMAT.to_be_bytes()[..]),
            ("kind", wanted.as_str().as_bytes()),
            ("made-by", concat!("gridmq ", env!("CARGO_PKG_VERSION")).as_bytes()),
        ] {
            meta.insert(&key(name).as_bytes()[..], value).map_err(failed)?;
        }
    }
    write.commit().map_err(failed)?;
    Ok(Found::Known)
}

/// The format that this program reads.
pub(super) const fn known() -> u32 {
    FORMAT
}
