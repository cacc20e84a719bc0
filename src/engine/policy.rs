//! The numbers the engine judges by.

use crate::model::ids::InstanceName;
use crate::model::incident::IncidentKind;
use crate::model::intent::Expectations;
use std::collections::BTreeSet;
use std::time::Duration;

/// Thresholds and spans. All have defaults that fit a supercluster on a healthy WAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Time between two rounds of beats.
    pub beat_period: Duration,
    /// How many beats in a row must be missed before silence is believed.
    pub confirm_beats: u32,
    /// The least time beyond its path's usual latency that an answer is given before it counts as missed.
    pub latency_slack: Duration,
    /// The most time an answer is given, however slow the path usually is.
    pub latency_ceiling: Duration,
    /// How long a bad state must last before an incident is opened.
    pub alert_after: Duration,
    /// How long the good state must last before an incident is resolved.
    pub clear_after: Duration,
    /// How long a server that has just appeared may take to bring its links up.
    pub join_grace: Duration,
    /// How long beats missed by a vantage count for nothing after it was (re)connected: interest must spread first.
    pub settle: Duration,
    /// The least silence, in reports, after which a server that answers no beats is believed lost.
    pub report_silence: Duration,
    /// How often a server is looked at again while a link of it is cut.
    pub look_again: Duration,
    /// The name under which this process tells of itself.
    pub instance: InstanceName,
    /// How long something must be wrong with this process itself, at one time or little by little, before that is told.
    pub impaired_after: Duration,
    /// What the standing checks judge by.
    pub checks: Checks,
    /// Links that must or must not exist.
    pub expect: Expectations,
    /// How long the first incidents wait for the list of silences; zero when none is to come.
    pub silences_within: Duration,
    /// Whether gateway addresses may be looked at from this host.
    pub probe: bool,
    /// How long a server that stopped is remembered while others of its cluster are there.
    pub forget_stopped: Duration,
    /// How long a server that was lost is waited for while others of its cluster are there; then its incident is closed.
    pub forget_lost: Duration,
    /// How often the gateways of a cluster are looked at while nothing is suspected.
    pub probe_every: Duration,
    /// Whether servers may be asked for streams while links are cut and after the heal.
    pub ask_jetstream: bool,
    /// Whether servers may be asked for accounts with interest after the heal.
    pub ask_interest: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            beat_period: Duration::from_millis(250),
            confirm_beats: 2,
            latency_slack: Duration::from_millis(150),
            latency_ceiling: Duration::from_secs(5),
            alert_after: Duration::from_secs(3),
            clear_after: Duration::from_secs(5),
            join_grace: Duration::from_secs(10),
            settle: Duration::from_millis(500),
            report_silence: Duration::from_millis(2500),
            look_again: Duration::from_secs(5),
            instance: InstanceName::from("gatewatch"),
            impaired_after: Duration::from_secs(10),
            checks: Checks::default(),
            expect: Expectations::default(),
            silences_within: Duration::ZERO,
            probe: true,
            forget_stopped: Duration::from_secs(60 * 60),
            forget_lost: Duration::from_secs(7 * 24 * 60 * 60),
            probe_every: Duration::from_secs(3600),
            ask_jetstream: true,
            ask_interest: true,
        }
    }
}

/// The numbers of the checks that look for standing conditions, and of what counts as flapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// Kinds that are not looked for.
    pub off: BTreeSet<IncidentKind>,
    /// How long a standing condition must be found before an incident is opened.
    pub standing_after: Duration,
    /// How long configurations must have stayed as they are before differences between them count: servers are restarted one by one.
    pub settled_after: Duration,
    /// How long servers of a cluster may run different versions: an upgrade takes its time.
    pub versions_after: Duration,
    /// How long it is told that a link was removed from the configuration.
    pub removed_notice: Duration,
    /// A certificate that ends within this span is worth knowing.
    pub certificate_notice: Duration,
    /// A certificate that ends within this span is a warning.
    pub certificate_warn: Duration,
    /// How far a server's clock may be off.
    pub clock_skew: Duration,
    /// In which time the weight of a flap is halved.
    pub flap_half_life: Duration,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            off: BTreeSet::new(),
            standing_after: Duration::from_secs(60),
            settled_after: Duration::from_secs(5 * 60),
            versions_after: Duration::from_secs(30 * 60),
            removed_notice: Duration::from_secs(60 * 60),
            certificate_notice: Duration::from_secs(30 * 24 * 60 * 60),
            certificate_warn: Duration::from_secs(7 * 24 * 60 * 60),
            clock_skew: Duration::from_secs(2),
            flap_half_life: Duration::from_secs(5 * 60),
        }
    }
}
