//! What the engine did not believe: counted by kind, and said now and then. A flood of it must not become a flood of lines.

use crate::engine::Refusals;
use crate::metrics::Metrics;
use crate::model::time::{Mono, Now};
use std::time::Duration;

/// Shortest time between two lines.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What was told of it so far.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    counted: Refusals,
    said: Option<(Mono, Refusals)>,
}

impl Doubts {
    /// Takes over what there is by now.
    pub(super) fn tell(&mut self, now_refused: Refusals, now: Now, metrics: &Metrics) {
        for ((kind, before), (_, after)) in kinds(self.counted).into_iter().zip(kinds(now_refused)) {
            metrics.disbelieved.add(kind, after.saturating_sub(before));
        }
        self.counted = now_refused;
        if self.said.is_some_and(|(at, _)| now.mono.since(at) < SAY_EVERY) {
            return;
        }
        let before = self.said.map(|(_, before)| before).unwrap_or_default();
        self.said = Some((now.mono, now_refused));
        tracing::warn!(
            clusters = now_refused.clusters - before.clusters,
            servers = now_refused.servers - before.servers,
            links = now_refused.links - before.links,
            impostors = now_refused.impostors - before.impostors,
            false_ends = now_refused.false_ends - before.false_ends,
            "messages in the system account claim more clusters, servers or links than there is room for, or speak in the name of \
             servers that say otherwise; who may publish to $SYS.SERVER.> there?"
        );
    }
}

fn kinds(refused: Refusals) -> [(&'static str, u64); 5] {
    [
        ("clusters", refused.clusters),
        ("servers", refused.servers),
        ("links", refused.links),
        ("impostors", refused.impostors),
        ("false_ends", refused.false_ends),
    ]
}
