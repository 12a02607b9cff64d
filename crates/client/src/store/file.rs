//! A session in one file.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `format` | `u32` version of this layout: 1 |
//! | `meta` | `client` | client identifier |
//! | `meta` | `expiry` | `u32` session expiry interval in seconds |
//! | `meta` | `position` | `u64` last position that was used |
//! | `meta` | `tried` | `u64` messages up to that position that wait may have been sent; absent: none |
//! | `messages` | position (`u64`) | message not yet done with, sent or not |
//! | `in-flight` | position (`u64`) | packet identifier that the message has |
//! | `received` | packet identifier (`u16`) | nothing: QoS 2, taken over, not released |
//!
//! Numbers are big-endian. Messages and identifiers are as [`gridmq_proto::session::stored`] says.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use gridmq_proto::session::stored::{self, Fault};
use gridmq_proto::session::{Position, Record};
use gridmq_proto::{PacketId, QoS};
use gridmq_store::{
    Key, NamespaceId, Options, Progress, RedbEngine, RedbOpenError, Store, SubmitError, Table, Watch, WriteBatch,
};

use super::{SessionStore, StoreError};

const META: Table = Table::new("meta");
const MESSAGES: Table = Table::new("messages");
const IN_FLIGHT: Table = Table::new("in-flight");
const RECEIVED: Table = Table::new("received");

const FORMAT: u32 = 1;
/// Rows read at once.
const PAGE: usize = 256;

type Wakers = Arc<Mutex<Option<Waker>>>;

/// Keeps a session in one file, in which one client at a time can be at home.
///
/// A thread of its own writes what has come together, all at once, and a record counts as durable when the system has
/// put it on the disk (`fsync`). What does not fit into its queue of 64 MiB holds publishing up.
///
/// ```
/// use gridmq_client::Options;
/// use gridmq_client::store::FileStore;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("session");
/// // As `Options::store` does, but now, so that what is wrong with the file is known before all else.
/// let store = FileStore::open(path)?;
/// let options = Options::new("mqtt://localhost").client_id("device1").clean_start(false);
/// let options = options.session_store(Box::new(store));
/// # drop(options);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    store: Store,
    /// Batches that found no room, oldest first.
    waiting: VecDeque<WriteBatch>,
    /// The number of the last batch.
    issued: u64,
    /// How far it was said to be durable.
    told: u64,
    /// The last position that was written.
    position: Position,
    waker: Wakers,
    _watch: Watch,
}

impl FileStore {
    /// Opens the file, or makes it. The directory has to exist.
    ///
    /// # Errors
    /// When another process has the file, when it is damaged or something else, and when the system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let engine = RedbEngine::open(&path).map_err(|error| match error {
            RedbOpenError::InUse { path } => StoreError::InUse { path: path.display().to_string() },
            RedbOpenError::Corrupt { path, why } => {
                StoreError::Corrupt { path: path.display().to_string(), problem: why }
            }
            other => StoreError::Failed(Arc::new(other)),
        })?;
        let store = Store::open(engine, Options::default()).map_err(|error| StoreError::Failed(Arc::new(error)))?;
        let waker = Wakers::default();
        let woken = Arc::clone(&waker);
        let watch = store.subscribe(move |_: Progress| {
            let waker = woken.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        let waiting = VecDeque::new();
        Ok(Self { path, store, waiting, issued: 0, told: 0, position: 0, waker, _watch: watch })
    }

    fn corrupt(&self, problem: impl Into<String>) -> StoreError {
        StoreError::Corrupt { path: self.path.display().to_string(), problem: problem.into() }
    }

    fn meta(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.store.get(META, &key(name.as_bytes())).map_err(failed)
    }

    fn meta_u32(&self, name: &str) -> Result<Option<u32>, StoreError> {
        let Some(value) = self.meta(name)? else { return Ok(None) };
        let number = value[..].try_into().map(u32::from_be_bytes);
        number.map(Some).map_err(|_| self.corrupt(format!("its {name} is no number")))
    }

    fn meta_position(&self, name: &str) -> Result<Option<Position>, StoreError> {
        let Some(value) = self.meta(name)? else { return Ok(None) };
        let number = value[..].try_into().map(Position::from_be_bytes);
        number.map(Some).map_err(|_| self.corrupt(format!("its {name} is no number")))
    }

    /// Every row of a table, its key as a number.
    fn rows<const N: usize>(
        &self,
        table: Table,
        mut each: impl FnMut([u8; N], Bytes) -> Result<(), Fault>,
    ) -> Result<(), StoreError> {
        let all = Key::new(NamespaceId::DEFAULT, &[]);
        let mut from = None;
        loop {
            let page = self.store.scan(table, &all, from.as_ref(), PAGE).map_err(failed)?;
            for (key, value) in page.entries {
                let parts = key.decode().map_err(|_| Fault::KeyParts).map(|(_, parts)| parts);
                let number = parts.and_then(|parts| match &parts[..] {
                    [part] => <[u8; N]>::try_from(&part[..]).map_err(|_| Fault::KeyParts),
                    _ => Err(Fault::KeyParts),
                });
                number
                    .and_then(|number| each(number, value))
                    .map_err(|fault| self.corrupt(format!("a row of the table \"{}\": {fault}", table.name())))?;
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes the file into possession for a client, or sees that it is that client's.
    fn claim(&mut self, client_id: &str) -> Result<(), StoreError> {
        let path = || self.path.display().to_string();
        match self.meta_u32("format")? {
            Some(FORMAT) => {}
            Some(found) => return Err(StoreError::Format { path: path(), found, known: FORMAT }),
            None => {
                let mut batch = WriteBatch::new();
                batch.put(META, key(b"format"), FORMAT.to_be_bytes().to_vec());
                batch.put(META, key(b"client"), client_id.as_bytes().to_vec());
                return self.submit(batch);
            }
        }
        let stored = self.meta("client")?.ok_or_else(|| self.corrupt("it does not say whose it is"))?;
        if stored != client_id.as_bytes() {
            let stored = String::from_utf8_lossy(&stored).into_owned();
            return Err(StoreError::OtherClient { path: path(), stored, asked: client_id.to_owned() });
        }
        Ok(())
    }

    fn submit(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        self.issued += 1;
        self.waiting.push_back(batch);
        self.flush()
    }

    /// Hands over what has room.
    fn flush(&mut self) -> Result<(), StoreError> {
        while let Some(batch) = self.waiting.pop_front() {
            match self.store.submit(batch) {
                Ok(_) => {}
                Err(SubmitError::Full(batch)) => {
                    self.waiting.push_front(batch);
                    return Ok(());
                }
                Err(error) => return Err(StoreError::Failed(Arc::new(error))),
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &mut WriteBatch, record: Record) {
        match record {
            Record::Started { expiry_interval } => {
                batch.put(META, key(b"expiry"), expiry_interval.to_be_bytes().to_vec());
            }
            Record::Ended => {
                for table in [MESSAGES, IN_FLIGHT, RECEIVED] {
                    batch.delete_prefix(table, Key::new(NamespaceId::DEFAULT, &[]));
                }
            }
            Record::Positioned(position) => self.position = self.position.max(position),
            Record::Tried(position) => {
                batch.put(META, key(b"tried"), position.to_be_bytes().to_vec());
            }
            Record::Enqueued(position, delivery) => {
                self.position = self.position.max(position);
                let place = key(&position.to_be_bytes());
                batch.put(MESSAGES, place.clone(), stored::encode_delivery(&delivery)).delete(IN_FLIGHT, place);
            }
            Record::Sent(position, id) => {
                batch.put(IN_FLIGHT, key(&position.to_be_bytes()), stored::encode_in_flight(id, false));
            }
            Record::Released(position, id) => {
                let place = key(&position.to_be_bytes());
                batch.put(IN_FLIGHT, place.clone(), stored::encode_in_flight(id, true)).delete(MESSAGES, place);
            }
            Record::Done(position) => {
                let place = key(&position.to_be_bytes());
                batch.delete(MESSAGES, place.clone()).delete(IN_FLIGHT, place);
            }
            Record::Received(id) => {
                batch.put(RECEIVED, key(&id.get().to_be_bytes()), Bytes::new());
            }
            Record::Forgotten(id) => {
                batch.delete(RECEIVED, key(&id.get().to_be_bytes()));
            }
            // A client has no others.
            _ => {}
        }
    }
}

fn key(part: &[u8]) -> Key {
    Key::new(NamespaceId::DEFAULT, &[part])
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Failed(Arc::new(error))
}

impl SessionStore for FileStore {
    fn load(&mut self, client_id: &str) -> Result<Vec<Record>, StoreError> {
        self.claim(client_id)?;
        let mut records = Vec::new();
        if let Some(expiry_interval) = self.meta_u32("expiry")? {
            records.push(Record::Started { expiry_interval });
        }
        if let Some(position) = self.meta_position("position")? {
            self.position = position;
            records.push(Record::Positioned(position));
        }
        records.extend(self.meta_position("tried")?.map(Record::Tried));
        self.rows(RECEIVED, |id, _| {
            records.push(Record::Received(PacketId::new(u16::from_be_bytes(id)).ok_or(Fault::ZeroIdentifier)?));
            Ok(())
        })?;
        let mut in_flight = BTreeMap::new();
        self.rows(IN_FLIGHT, |position, value| {
            in_flight.insert(Position::from_be_bytes(position), stored::decode_in_flight(value)?);
            Ok(())
        })?;
        self.rows(MESSAGES, |position, value| {
            let position = Position::from_be_bytes(position);
            let delivery = stored::decode_delivery(value)?;
            // Such messages are never stored.
            if delivery.qos == QoS::AtMostOnce {
                return Err(Fault::Flags(0));
            }
            records.push(Record::Enqueued(position, delivery));
            match in_flight.remove(&position) {
                Some((_, true)) => return Err(Fault::KeyParts),
                Some((id, false)) => records.push(Record::Sent(position, id)),
                None => {}
            }
            Ok(())
        })?;
        for (position, (id, released)) in in_flight {
            if !released {
                return Err(self.corrupt(format!("the message {position} was sent, and is not there")));
            }
            records.push(Record::Released(position, id));
        }
        Ok(records)
    }

    fn append(&mut self, records: Vec<Record>) -> Result<u64, StoreError> {
        let mut batch = WriteBatch::new();
        let before = self.position;
        for record in records {
            self.write(&mut batch, record);
        }
        if self.position != before {
            batch.put(META, key(b"position"), self.position.to_be_bytes().to_vec());
        }
        self.submit(batch)?;
        Ok(self.issued)
    }

    fn has_room(&self) -> bool {
        self.waiting.is_empty()
    }

    fn poll_durable(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, StoreError>> {
        // First of all, so that no progress goes unheard.
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if let Err(error) = self.flush() {
            return Poll::Ready(Err(error));
        }
        let durable = self.store.durable().get();
        if durable > self.told {
            self.told = durable;
            return Poll::Ready(Ok(durable));
        }
        match self.store.failure() {
            Some(failure) => Poll::Ready(Err(StoreError::Failed(failure))),
            None => Poll::Pending,
        }
    }
}
