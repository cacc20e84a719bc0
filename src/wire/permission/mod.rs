//! What each of the two users must be allowed, and what is lost without it.
//!
//! The one list: the README, the verb `permissions`, the logins of the lab and the checks at start are made from it. Whoever
//! publishes or subscribes to something new adds it here, or the tests, which run with exactly this, fail.

mod capability;
mod granted;
mod pattern;
mod render;
mod violation;

pub use capability::Capability;
pub use granted::{Granted, Grants};
pub use render::{conf, conf_block, json, nsc};
pub use violation::violation;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The subject on which a server (>= 2.10) tells a user what it may do.
pub const OWN_RIGHTS: &str = "$SYS.REQ.USER.INFO";

/// One of the two users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// The one in the system account, which listens and asks.
    System,
    /// The one in the alert account, which publishes and keeps.
    Alerts,
}

/// What is done on a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Sending.
    Publish,
    /// Listening.
    Subscribe,
}

/// Whether the user of the alert account may make what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// It may create streams and buckets.
    Creates,
    /// It uses those that exist; somebody else made them.
    Existing,
}

/// The names in the settings that subjects are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `alerts.subject_prefix`.
    pub subject_prefix: String,
    /// `alerts.alerts_stream`.
    pub alerts_stream: String,
    /// `alerts.events_stream`.
    pub events_stream: String,
    /// `alerts.bucket`.
    pub bucket: String,
    /// `system.inbox_prefix`, and those of `[[vantage]]` that differ.
    pub system_inboxes: BTreeSet<String>,
    /// `alerts.inbox_prefix`.
    pub alerts_inbox: String,
}

/// One thing that a user must be allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// Sending or listening.
    pub act: Act,
    /// Where; may hold wildcards.
    pub subject: String,
    /// What it is for.
    pub capability: Capability,
}

/// What a user may not do though it should, all of one capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is off.
    pub capability: Capability,
    /// What may not be done.
    pub denied: BTreeSet<(Act, String)>,
}

impl Default for Names {
    /// Those of a configuration that names nothing.
    fn default() -> Self {
        Self {
            subject_prefix: "gatewatch".to_owned(),
            alerts_stream: "GATEWATCH_ALERTS".to_owned(),
            events_stream: "GATEWATCH_EVENTS".to_owned(),
            bucket: "GATEWATCH".to_owned(),
            system_inboxes: ["_INBOX".to_owned()].into(),
            alerts_inbox: "_INBOX".to_owned(),
        }
    }
}

impl Names {
    /// The bucket of the lease.
    #[must_use]
    pub fn lease_bucket(&self) -> String {
        format!("{}_LEASE", self.bucket)
    }

    /// Everything that this user must be allowed.
    #[must_use]
    pub fn permissions(&self, user: User, tier: Tier) -> Vec<Permission> {
        match user {
            User::System => self.system(),
            User::Alerts => self.alerts(tier),
        }
    }

    fn system(&self) -> Vec<Permission> {
        use Capability as For;
        let mut list = List::default();
        for (endpoint, capability) in [
            ("IDZ", For::Beats),
            ("STATSZ", For::AskStats),
            ("GATEWAYZ", For::AskGateways),
            ("VARZ", For::AskConfig),
            ("JSZ", For::AskJetStream),
        ] {
            list.publish(capability, format!("$SYS.REQ.SERVER.*.{endpoint}"));
        }
        list.publish(For::OwnRights, OWN_RIGHTS.to_owned());
        for inbox in &self.system_inboxes {
            list.publish(For::Echo, format!("{inbox}.*"));
        }
        for (subject, capability) in [
            ("$SYS.SERVER.*.STATSZ", For::HearStats),
            ("$SYS.SERVER.*.SHUTDOWN", For::HearStops),
            ("$SYS.SERVER.*.LAMEDUCK", For::HearStops),
            ("$SYS.SERVER.*.CLIENT.AUTH.ERR", For::HearRefusals),
            ("$SYS.ACCOUNT.*.CONNECT", For::HearClients),
            ("$SYS.ACCOUNT.*.DISCONNECT", For::HearClients),
        ] {
            list.subscribe(capability, subject.to_owned());
        }
        for inbox in &self.system_inboxes {
            list.subscribe(For::Answers, format!("{inbox}.>"));
        }
        list.0
    }

    fn alerts(&self, tier: Tier) -> Vec<Permission> {
        use Capability as For;
        let mut list = List::default();
        let prefix = &self.subject_prefix;
        list.publish(For::PublishAlerts, format!("{prefix}.alert.>"));
        list.publish(For::PublishSilenced, format!("{prefix}.silenced.>"));
        list.publish(For::PublishEvents, format!("{prefix}.event.>"));
        let (bucket, lease) = (format!("KV_{}", self.bucket), format!("KV_{}", self.lease_bucket()));
        list.publish(For::WriteState, format!("$KV.{}.>", self.bucket));
        list.publish(For::Lease, format!("$KV.{}.>", self.lease_bucket()));
        let streams = [&self.alerts_stream, &self.events_stream, &bucket, &lease];
        let find = |stream: &String| if *stream == lease { For::Lease } else { For::FindStreams };
        for stream in streams {
            list.publish(find(stream), format!("$JS.API.STREAM.INFO.{stream}"));
        }
        if tier == Tier::Creates {
            for stream in streams {
                list.publish(For::CreateStreams, format!("$JS.API.STREAM.CREATE.{stream}"));
            }
            list.publish(For::CreateStreams, "$JS.API.STREAM.NAMES".to_owned());
        }
        for (stream, capability) in [
            (&self.alerts_stream, For::CheckStored),
            (&self.events_stream, For::CheckStored),
            (&bucket, For::ReadState),
            (&lease, For::Lease),
        ] {
            list.publish(capability, format!("$JS.API.STREAM.MSG.GET.{stream}"));
        }
        for (stream, capability) in [
            (&self.alerts_stream, For::ReadHistory),
            (&self.events_stream, For::CheckStored),
            (&bucket, For::ReadState),
        ] {
            list.publish(capability, format!("$JS.API.CONSUMER.CREATE.{stream}"));
            list.publish(capability, format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"));
            list.publish(capability, format!("$JS.API.CONSUMER.DELETE.{stream}.*"));
        }
        list.publish(For::OwnRights, OWN_RIGHTS.to_owned());
        list.subscribe(For::Answers, format!("{}.>", self.alerts_inbox));
        list.subscribe(For::Follow, format!("{prefix}.alert.>"));
        list.subscribe(For::Lease, format!("{prefix}.silenced.>"));
        list.subscribe(For::Follow, format!("{prefix}.event.>"));
        list.0
    }
}

#[derive(Default)]
struct List(Vec<Permission>);

impl List {
    fn publish(&mut self, capability: Capability, subject: String) {
        self.0.push(Permission { act: Act::Publish, subject, capability });
    }

    fn subscribe(&mut self, capability: Capability, subject: String) {
        self.0.push(Permission { act: Act::Subscribe, subject, capability });
    }
}

/// What of this list is not granted, of each capability together. What a daemon can do without by design is left out.
#[must_use]
pub fn missing(needed: &[Permission], granted: &Granted) -> Vec<Missing> {
    let mut found: BTreeMap<Capability, BTreeSet<(Act, String)>> = BTreeMap::new();
    for permission in needed.iter().filter(|permission| permission.capability.is_needed_to_run()) {
        if !granted.allows(permission.act, &permission.subject) {
            let denied = (permission.act, permission.subject.clone());
            found.entry(permission.capability).or_default().insert(denied);
        }
    }
    found.into_iter().map(|(capability, denied)| Missing { capability, denied }).collect()
}

/// The permission of this list that covers what was refused.
#[must_use]
pub fn covering<'a>(needed: &'a [Permission], act: Act, subject: &str) -> Option<&'a Permission> {
    needed.iter().find(|permission| permission.act == act && pattern::covers(&permission.subject, subject))
}

impl Act {
    /// In words, after "may not".
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe to",
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())
    }
}

impl User {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::System => "the system user",
            Self::Alerts => "the alert user",
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl fmt::Display for Missing {
    /// "may not publish `$SYS.REQ.SERVER.*.IDZ`: beats off, basis reports"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut acts = Vec::new();
        for act in [Act::Publish, Act::Subscribe] {
            let on = self.denied.iter().filter(|(denied, _)| *denied == act);
            let on: Vec<String> = on.map(|(_, subject)| format!("`{subject}`")).collect();
            if !on.is_empty() {
                acts.push(format!("{act} {}", on.join(", ")));
            }
        }
        write!(f, "may not {}: {}", acts.join(" nor "), self.capability.without())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
