//! Records of the bucket, read on by number: each look is one request, which the stream's leader answers from memory. It needs no consumer,
//! which nobody can make while JetStream has no leader of all.

use super::bucket::Bucket;
use crate::nats::jetstream::chain;
use crate::nats::scan::ScanError;
use crate::wire::ReadError;
use std::collections::BTreeMap;

/// Records of one kind, read on from where the last look ended.
#[derive(Debug)]
pub(in crate::nats) struct Reading<T> {
    filter: &'static str,
    parse: fn(&[u8]) -> Result<T, ReadError>,
    pub(in crate::nats) found: BTreeMap<String, T>,
    /// While everything is read anew: what was found so far.
    anew: Option<BTreeMap<String, T>>,
    /// Number of the last message seen.
    seen: u64,
}

impl<T> Reading<T> {
    pub(in crate::nats) fn new(filter: &'static str, parse: fn(&[u8]) -> Result<T, ReadError>) -> Self {
        Self { filter, parse, found: BTreeMap::new(), anew: None, seen: 0 }
    }

    /// Begins again with the first message. What was found stays until all is read.
    pub(in crate::nats) fn restart(&mut self) {
        self.seen = 0;
        self.anew = Some(BTreeMap::new());
    }

    /// Reads up to the present end. A bucket that is not there holds nothing.
    pub(in crate::nats) async fn read(&mut self, bucket: &Bucket) -> Result<(), ScanError> {
        loop {
            match bucket.next(self.filter, self.seen + 1).await {
                Ok(Some(message)) => {
                    self.seen = message.sequence;
                    self.take(message.key, message.value.as_deref());
                }
                Ok(None) => break,
                Err(ScanError::NoStream) => {
                    self.restart();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(all) = self.anew.take() {
            self.found = all;
        }
        Ok(())
    }

    fn take(&mut self, key: String, value: Option<&[u8]>) {
        let into = self.anew.as_mut().unwrap_or(&mut self.found);
        match value.map(self.parse) {
            None => {
                into.remove(&key);
            }
            Some(Ok(record)) => {
                into.insert(key, record);
            }
            Some(Err(error)) => {
                tracing::warn!(key, error = chain(&error), "a stored record is skipped");
                into.remove(&key);
            }
        }
    }
}
