//! Evidence read back as values of the model.

use super::super::names::{clusters, forget};
use super::SaysBody;
use crate::model::evidence::Says;
use crate::model::health::{OutboxHealth, PublishingHealth};
use crate::model::ids::ServerId;
use crate::wire::sys;
use chrono::TimeDelta;
use std::time::Duration;

impl SaysBody {
    /// The value; `None` when only a newer version knows it.
    pub(super) fn to_model(&self) -> Option<Says> {
        Some(match self {
            Self::BeatsMissed { server, vantage, missed, heard_by } => Says::BeatsMissed {
                server: server.into(),
                vantage: vantage.as_str().into(),
                missed: *missed,
                heard_by: clusters(heard_by),
            },
            Self::BeatHeard { server, vantage, latency_us } => Says::BeatHeard {
                server: server.into(),
                vantage: vantage.as_str().into(),
                latency: Duration::from_micros(*latency_us),
            },
            Self::Silent { server, missed } => Says::Silent { server: server.into(), missed: *missed },
            Self::NoReports { server, silent_for_ms } => {
                Says::NoReports { server: server.into(), silent_for: Duration::from_millis(*silent_for_ms) }
            }
            Self::Listed { server, remote } => {
                Says::Listed { server: server.into(), remote: remote.as_str().into() }
            }
            Self::NotListed { server, remote } => {
                Says::NotListed { server: server.into(), remote: remote.as_str().into() }
            }
            Self::NotConfigured { server, remote } => {
                Says::NotConfigured { server: server.into(), remote: remote.as_str().into() }
            }
            Self::PeerGone { server, peer } => Says::PeerGone { server: server.into(), peer: peer.into() },
            Self::LameDuck { server } => Says::LameDuck { server: server.into() },
            Self::Shutdown { server } => Says::Shutdown { server: server.into() },
            Self::Restarted { server, id } => {
                Says::Restarted { server: server.into(), id: ServerId::from(id.as_str()) }
            }
            Self::Heard { server, vantage } => {
                Says::Heard { server: server.into(), vantage: vantage.as_str().into() }
            }
            Self::ClusterSilent { cluster, unheard_by } => {
                Says::ClusterSilent { cluster: cluster.as_str().into(), unheard_by: clusters(unheard_by) }
            }
            Self::ClusterHeard { cluster, heard_by } => {
                Says::ClusterHeard { cluster: cluster.as_str().into(), heard_by: clusters(heard_by) }
            }
            Self::VantageDisconnected { cluster, why } => {
                Says::VantageDisconnected { cluster: cluster.as_str().into(), why: (*why).into() }
            }
            Self::VantageDeaf { cluster } => Says::VantageDeaf { cluster: cluster.as_str().into() },
            Self::GatewayRefused { server, peer } => {
                Says::GatewayRefused { server: server.into(), peer: peer.clone() }
            }
            Self::Probed { target, address, found, detail } => Says::Probed {
                target: target.as_str().into(),
                address: address.clone(),
                found: (*found).into(),
                detail: detail.clone(),
            },
            Self::InboundIdle { server, from, idle_ms } => Says::InboundIdle {
                server: server.into(),
                from: from.into(),
                idle: Duration::from_millis(*idle_ms),
            },
            Self::CertificateEnds { server, ends } => {
                Says::CertificateEnds { server: server.into(), at: (*ends).into() }
            }
            Self::Configured { server, remote } => {
                Says::Configured { server: server.into(), remote: remote.as_str().into() }
            }
            Self::RejectsUnknown { server, remote } => {
                Says::RejectsUnknown { server: server.into(), remote: remote.as_str().into() }
            }
            Self::UnknownRemote { server, remote, like } => Says::UnknownRemote {
                server: server.into(),
                remote: remote.as_str().into(),
                like: like.as_deref().map(Into::into),
            },
            Self::Remade { server, remote } => {
                Says::Remade { server: server.into(), remote: remote.as_str().into() }
            }
            Self::ConfigDiffers { server, other, what, detail } => Says::ConfigDiffers {
                server: server.into(),
                other: other.into(),
                what: (*what).into(),
                detail: detail.clone(),
            },
            Self::OneSided { from, to } => {
                Says::OneSided { from: from.as_str().into(), to: to.as_str().into() }
            }
            Self::SingleUrl { server, remote, url } => {
                Says::SingleUrl { server: server.into(), remote: remote.as_str().into(), url: url.clone() }
            }
            Self::ClockOff { server, by_ms } => {
                Says::ClockOff { server: server.into(), by: TimeDelta::try_milliseconds(*by_ms)? }
            }
            Self::Runs { server, version } => {
                Says::Runs { server: server.into(), version: sys::version(version)? }
            }
            Self::RouteMissing { server, peer } => {
                Says::RouteMissing { server: server.into(), peer: peer.into() }
            }
            Self::Required { link } => Says::Required { link: link.into() },
            Self::Forbidden { link } => Says::Forbidden { link: link.into() },
            Self::DidNotRun { span_ms } => Says::DidNotRun { span: Duration::from_millis(*span_ms) },
            Self::FactsDropped { count } => Says::FactsDropped { count: *count },
            Self::OutboxGrowing { waiting } => {
                Says::Outbox { health: OutboxHealth::Growing { waiting: *waiting } }
            }
            Self::OutboxUnavailable { why } => {
                Says::Outbox { health: OutboxHealth::Unavailable { why: why.clone() } }
            }
            Self::AlertsAway => Says::Publishing { health: PublishingHealth::Away },
            Self::AlertsRefused { why } => {
                Says::Publishing { health: PublishingHealth::Refused { why: why.clone() } }
            }
            Self::ClockJumped { by_ms } => Says::ClockJumped { by: TimeDelta::try_milliseconds(*by_ms)? },
            Self::Forgotten { cluster, server } => {
                Says::Forgotten { what: forget(cluster, server.as_deref()) }
            }
            Self::Newer => return None,
        })
    }
}
