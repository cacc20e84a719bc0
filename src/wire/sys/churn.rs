//! Client CONNECT and DISCONNECT advisories, added up per server and second.
//!
//! Every vantage hears every advisory, so each counts only at the vantage in the server's own cluster.

use super::error::{DecodeError, What};
use super::json;
use super::names::{MAX_LISTED, Names};
use super::server::ServerInfo;
use crate::model::ids::{ClusterName, ServerId};
use crate::model::observation::ClientChurn;
use crate::model::time::Mono;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Advisory<'a> {
    #[serde(borrow)]
    server: ServerInfo<'a>,
}

/// Sums not yet taken, by second and server. At most [`MAX_LISTED`] of them: advisories beyond that are refused, and counted.
#[derive(Debug)]
pub(super) struct Churn {
    home: ClusterName,
    sums: BTreeMap<(u64, ServerId), (Mono, ClientChurn)>,
}

impl Churn {
    pub(super) fn new(home: ClusterName) -> Self {
        Self { home, sums: BTreeMap::new() }
    }

    /// Adds a CONNECT or DISCONNECT; says whether it counts here.
    pub(super) fn add(
        &mut self,
        names: &mut Names,
        at: Mono,
        what: What,
        payload: &[u8],
    ) -> Result<bool, DecodeError> {
        let advisory: Advisory<'_> = json::parse(what, payload)?;
        if advisory.server.cluster() != self.home.as_str() {
            return Ok(false);
        }
        let server = advisory.server.identity(names, what)?;
        let key = (at.0.as_secs(), server.id.clone());
        if self.sums.len() >= MAX_LISTED && !self.sums.contains_key(&key) {
            return Err(DecodeError::TooMany {
                what,
                field: "servers in one second",
                count: self.sums.len() + 1,
            });
        }
        let empty = || (at, ClientChurn { server, connected: 0, disconnected: 0 });
        let (last, churn) = self.sums.entry(key).or_insert_with(empty);
        *last = at;
        let sum = if what == What::Connect { &mut churn.connected } else { &mut churn.disconnected };
        *sum = sum.saturating_add(1);
        Ok(true)
    }

    /// Takes the sums of all seconds before that of `now`, each with the time of its last advisory.
    pub(super) fn take(&mut self, now: Mono) -> impl Iterator<Item = (Mono, ClientChurn)> {
        let unfinished = self.sums.split_off(&(now.0.as_secs(), ServerId::from("")));
        std::mem::replace(&mut self.sums, unfinished).into_values()
    }
}
