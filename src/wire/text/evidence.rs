//! Evidence in words.

use super::{list, moment, own, span};
use crate::model::evidence::{ConfigItem, ProbeWord, Says};
use crate::model::ids::{ClusterName, ServerKey};
use crate::model::observation::Disconnect;
use chrono::TimeDelta;

/// One piece of evidence, as one clause.
#[must_use]
pub fn evidence(says: &Says) -> String {
    match says {
        Says::BeatsMissed { server, vantage, missed, heard_by } => format!(
            "{server} answered, heard in {}, but its last {missed} answers did not reach {vantage}: it cannot send there",
            list(heard_by)
        ),
        Says::BeatHeard { server, vantage, latency } => {
            format!("an answer of {server} reached {vantage} after {:.1} ms", latency.as_secs_f64() * 1e3)
        }
        Says::Silent { server, missed } => {
            format!(
                "{server} left the last {missed} questions unanswered while others of its cluster answered"
            )
        }
        Says::NoReports { server, silent_for } => {
            format!("{server} has sent no report for {}", span(*silent_for))
        }
        Says::Listed { server, remote } => format!("{server} lists its link to {remote} as up"),
        Says::NotListed { server, remote } => format!("{server} does not list a link to {remote}"),
        Says::NotConfigured { server, remote } => {
            format!("the configuration of {server} no longer names {remote}")
        }
        Says::PeerGone { server, peer } => format!("the link of {server} ended at {peer}, which is gone"),
        Says::LameDuck { server } => format!("{server} announced lame duck mode"),
        Says::Shutdown { server } => format!("{server} announced its shutdown"),
        Says::Restarted { server, id } => format!("{server} was restarted and is now {id}"),
        Says::Heard { server, vantage } => format!("{server} was heard in {vantage}"),
        Says::ClusterSilent { cluster, unheard_by } => {
            format!("no server of {cluster} answers; asked from {}", list(unheard_by))
        }
        Says::ClusterHeard { cluster, heard_by } => {
            format!("servers of {cluster} are heard in {}", list(heard_by))
        }
        Says::VantageDisconnected { cluster, why } => {
            format!("the connection of gatewatch into {cluster} is not there: {}", reason(*why))
        }
        Says::VantageDeaf { cluster } => {
            format!("the connection of gatewatch into {cluster} is up but hears nothing of that cluster")
        }
        Says::GatewayRefused { server, peer: Some(peer) } => {
            format!("{server} refused a gateway connection of {peer} for bad credentials")
        }
        Says::GatewayRefused { server, peer: None } => {
            format!("{server} refused a gateway connection for bad credentials")
        }
        Says::Probed { target, address, found, detail } => probed(target, address, *found, detail),
        Says::InboundIdle { server, from, idle } => format!(
            "{server} has heard nothing on its connection from {from} for {}: that connection is half open",
            span(*idle)
        ),
        Says::CertificateEnds { server, at } => {
            format!("the certificate of the gateway of {server} ends at {}", moment(*at))
        }
        Says::Configured { server, remote } => format!("the configuration of {server} names {remote}"),
        Says::RejectsUnknown { server, remote } => {
            format!(
                "{server} rejects clusters that its configuration does not name, and it does not name {remote}"
            )
        }
        Says::UnknownRemote { server, remote, like: Some(like) } => format!(
            "the configuration of {server} names {remote}, to which no server belongs; is {like} meant?"
        ),
        Says::UnknownRemote { server, remote, like: None } => {
            format!("the configuration of {server} names {remote}, to which no server belongs")
        }
        Says::Remade { server, remote } => {
            format!("the link of {server} to {remote} was made anew: it was down since it was last looked at")
        }
        Says::ConfigDiffers { server, other, what, detail } => {
            format!("{server} is configured differently from {other} ({}): {detail}", item(*what))
        }
        Says::OneSided { from, to } => {
            format!("servers of {from} are configured with {to}, no server of {to} is configured with {from}")
        }
        Says::SingleUrl { server, remote, url } => {
            format!("{server} knows {remote} by a single address, {url}")
        }
        Says::ClockOff { server, by } => clock_off(server, *by),
        Says::Runs { server, version } => format!("{server} runs version {version}"),
        Says::RouteMissing { server, peer } => format!("{server} has no route to {peer}"),
        Says::Required { link } => format!("gatewatch was told that the link {link} must exist"),
        Says::Forbidden { link } => format!("gatewatch was told that the link {link} must not exist"),
        Says::DidNotRun { span: long } => {
            format!("gatewatch did not run for {}: what happened meanwhile it cannot know", span(*long))
        }
        Says::FactsDropped { count } => {
            format!("gatewatch did not keep up and left {count} of the things it heard unread")
        }
        Says::Outbox { health } => own::outbox(health),
        Says::Publishing { health } => own::publishing(health),
        Says::ClockJumped { by } => own::clock(*by),
        Says::Forgotten { what } => format!("gatewatch was told that {what} is gone for good"),
    }
}

/// What our own host saw: always said so.
fn probed(target: &ClusterName, address: &str, found: ProbeWord, detail: &str) -> String {
    let saw = match found {
        ProbeWord::Unresolved => "its host name does not resolve",
        ProbeWord::Unreachable => "a connection to it is not answered",
        ProbeWord::Refused => "a connection to it is refused",
        ProbeWord::Silent => "it accepts a connection and then says nothing",
        ProbeWord::Foreign => "what listens there is no gateway",
        ProbeWord::OtherGateway => "the gateway of another cluster listens there",
        ProbeWord::TlsFailed => "the TLS handshake fails",
        ProbeWord::Expired => "its certificate has ended",
        ProbeWord::WrongName => "its certificate does not name that host",
        ProbeWord::Untrusted => "its certificate is not signed by the authority of the other gateways",
        ProbeWord::Sound => "nothing is wrong with it",
    };
    let more = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
    format!("seen from the host of gatewatch, gateway address {address} of {target}: {saw}{more}")
}

fn clock_off(server: &ServerKey, by: TimeDelta) -> String {
    let way = if by < TimeDelta::zero() { "behind" } else { "ahead of" };
    format!(
        "the clock of {server} is {} {way} that of gatewatch",
        span(by.abs().to_std().unwrap_or_default())
    )
}

fn item(what: ConfigItem) -> &'static str {
    match what {
        ConfigItem::Remotes => "remote clusters",
        ConfigItem::Urls => "addresses",
        ConfigItem::RejectUnknown => "reject_unknown_cluster",
    }
}

fn reason(why: Disconnect) -> &'static str {
    match why {
        Disconnect::Lost => "it ended",
        Disconnect::Refused => "every address refuses it",
        Disconnect::TimedOut => "no address answers in time",
        Disconnect::Unauthorized => "the server does not accept the credentials",
        Disconnect::WrongCluster => "the address leads into another cluster",
        Disconnect::Tls => "the TLS handshake fails",
        Disconnect::Other => "it cannot be made",
    }
}
