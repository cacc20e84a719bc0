//! Evidence of the model in its public form.

use super::super::names::{forget_names, texts};
use super::SaysBody;
use crate::model::evidence::Says;
use crate::model::health::{OutboxHealth, PublishingHealth};
use std::time::Duration;

impl From<&Says> for SaysBody {
    fn from(says: &Says) -> Self {
        match says {
            Says::BeatsMissed { server, vantage, missed, heard_by } => Self::BeatsMissed {
                server: server.into(),
                vantage: vantage.to_string(),
                missed: *missed,
                heard_by: texts(heard_by),
            },
            Says::BeatHeard { server, vantage, latency } => Self::BeatHeard {
                server: server.into(),
                vantage: vantage.to_string(),
                latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
            },
            Says::Silent { server, missed } => Self::Silent { server: server.into(), missed: *missed },
            Says::NoReports { server, silent_for } => {
                Self::NoReports { server: server.into(), silent_for_ms: millis(*silent_for) }
            }
            Says::Listed { server, remote } => {
                Self::Listed { server: server.into(), remote: remote.to_string() }
            }
            Says::NotListed { server, remote } => {
                Self::NotListed { server: server.into(), remote: remote.to_string() }
            }
            Says::NotConfigured { server, remote } => {
                Self::NotConfigured { server: server.into(), remote: remote.to_string() }
            }
            Says::PeerGone { server, peer } => Self::PeerGone { server: server.into(), peer: peer.into() },
            Says::LameDuck { server } => Self::LameDuck { server: server.into() },
            Says::Shutdown { server } => Self::Shutdown { server: server.into() },
            Says::Restarted { server, id } => Self::Restarted { server: server.into(), id: id.to_string() },
            Says::Heard { server, vantage } => {
                Self::Heard { server: server.into(), vantage: vantage.to_string() }
            }
            Says::ClusterSilent { cluster, unheard_by } => {
                Self::ClusterSilent { cluster: cluster.to_string(), unheard_by: texts(unheard_by) }
            }
            Says::ClusterHeard { cluster, heard_by } => {
                Self::ClusterHeard { cluster: cluster.to_string(), heard_by: texts(heard_by) }
            }
            Says::VantageDisconnected { cluster, why } => {
                Self::VantageDisconnected { cluster: cluster.to_string(), why: (*why).into() }
            }
            Says::VantageDeaf { cluster } => Self::VantageDeaf { cluster: cluster.to_string() },
            Says::GatewayRefused { server, peer } => {
                Self::GatewayRefused { server: server.into(), peer: peer.clone() }
            }
            Says::Probed { target, address, found, detail } => Self::Probed {
                target: target.to_string(),
                address: address.clone(),
                found: (*found).into(),
                detail: detail.clone(),
            },
            Says::InboundIdle { server, from, idle } => {
                Self::InboundIdle { server: server.into(), from: from.into(), idle_ms: millis(*idle) }
            }
            Says::CertificateEnds { server, at } => {
                Self::CertificateEnds { server: server.into(), ends: (*at).into() }
            }
            Says::Configured { server, remote } => {
                Self::Configured { server: server.into(), remote: remote.to_string() }
            }
            Says::RejectsUnknown { server, remote } => {
                Self::RejectsUnknown { server: server.into(), remote: remote.to_string() }
            }
            Says::UnknownRemote { server, remote, like } => Self::UnknownRemote {
                server: server.into(),
                remote: remote.to_string(),
                like: like.as_ref().map(ToString::to_string),
            },
            Says::Remade { server, remote } => {
                Self::Remade { server: server.into(), remote: remote.to_string() }
            }
            Says::ConfigDiffers { server, other, what, detail } => Self::ConfigDiffers {
                server: server.into(),
                other: other.into(),
                what: (*what).into(),
                detail: detail.clone(),
            },
            Says::OneSided { from, to } => Self::OneSided { from: from.to_string(), to: to.to_string() },
            Says::SingleUrl { server, remote, url } => {
                Self::SingleUrl { server: server.into(), remote: remote.to_string(), url: url.clone() }
            }
            Says::ClockOff { server, by } => {
                Self::ClockOff { server: server.into(), by_ms: by.num_milliseconds() }
            }
            Says::Runs { server, version } => {
                Self::Runs { server: server.into(), version: version.to_string() }
            }
            Says::RouteMissing { server, peer } => {
                Self::RouteMissing { server: server.into(), peer: peer.into() }
            }
            Says::Required { link } => Self::Required { link: link.into() },
            Says::Forbidden { link } => Self::Forbidden { link: link.into() },
            Says::DidNotRun { span } => Self::DidNotRun { span_ms: millis(*span) },
            Says::FactsDropped { count } => Self::FactsDropped { count: *count },
            Says::Outbox { health } => match health {
                OutboxHealth::Growing { waiting } => Self::OutboxGrowing { waiting: *waiting },
                OutboxHealth::Unavailable { why } => Self::OutboxUnavailable { why: why.clone() },
                OutboxHealth::Fine => Self::Newer,
            },
            Says::Publishing { health } => match health {
                PublishingHealth::Away => Self::AlertsAway,
                PublishingHealth::Refused { why } => Self::AlertsRefused { why: why.clone() },
                PublishingHealth::Fine => Self::Newer,
            },
            Says::ClockJumped { by } => Self::ClockJumped { by_ms: by.num_milliseconds() },
            Says::Forgotten { what } => {
                let (cluster, server) = forget_names(what);
                Self::Forgotten { cluster, server }
            }
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
