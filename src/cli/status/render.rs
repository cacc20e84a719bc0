//! The status as a person reads it: a matrix of links, the clusters, what is open.

use crate::cli::show::{counted, moment, severity_look};
use crate::cli::term::{Look, Style, trimmed};
use crate::model::ids::ClusterName;
use crate::model::snapshot::{ClusterStatus, LinkStatus, ServerStatus, Snapshot};
use crate::model::states::{Basis, ClusterState, LinkState, ServerState, VantageState};
use crate::wire::record::Lease;
use crate::wire::text;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// The whole status at `now`.
pub(super) fn render(
    snapshot: &Snapshot,
    speaker: Option<&Lease>,
    now: DateTime<Utc>,
    fresh: bool,
    style: Style,
) -> String {
    let age = (now - snapshot.at).to_std().unwrap_or_default();
    let mut text = head(snapshot, age, fresh, style);
    if let Some(Lease { instance, since, .. }) = speaker {
        let speaks = format!("gatewatch {instance:?} speaks, since {}", moment(since.0));
        text = text.replacen("\n\n", &format!("\n{}\n\n", style.paint(Look::Dim, &speaks)), 1);
    }
    text.push_str(&matrix(snapshot, style));
    text.push('\n');
    text.push_str(&clusters(snapshot, now, style));
    text.push('\n');
    text.push_str(&open(snapshot, now, style));
    text
}

fn head(snapshot: &Snapshot, age: Duration, fresh: bool, style: Style) -> String {
    let servers: usize = snapshot.clusters.iter().map(|cluster| cluster.servers.len()).sum();
    let what = format!(
        "{}, {}, {}",
        counted(snapshot.clusters.len(), "cluster"),
        counted(servers, "server"),
        counted(snapshot.links.len(), "link")
    );
    let mut text = format!(
        "{}  {}\n",
        style.paint(Look::Bold, &what),
        style.paint(Look::Dim, &format!("as of {}, {} ago", moment(snapshot.at), text::span(age)))
    );
    if !fresh {
        let warning = format!(
            "stale: no gatewatch has stored its view for {}; what follows is what was true then",
            text::span(age)
        );
        text.push_str(&style.paint(Look::Bad, &style.wrap(&warning, 0)));
        text.push('\n');
    }
    text.push_str(&own(snapshot, style));
    text.push('\n');
    text
}

/// How the gatewatch that stored it was doing itself; nothing when an older version did.
fn own(snapshot: &Snapshot, style: Style) -> String {
    let Some(own) = &snapshot.own else { return String::new() };
    let lacks: Vec<&str> = own.lacks.iter().map(|lack| text::lack(*lack)).collect();
    let ready =
        if lacks.is_empty() { "ready".to_owned() } else { format!("not ready ({})", lacks.join(", ")) };
    let ails = own
        .ailments
        .iter()
        .map(|one| format!("; {} (since {})", text::ailment(one.ailment), moment(one.since)));
    let line = format!("instance {}: {ready}{}", own.instance, ails.collect::<String>());
    let look = match (own.is_ready(), own.ailments.is_empty()) {
        (true, true) => Look::Dim,
        (true, false) => Look::Doubtful,
        (false, _) => Look::Bad,
    };
    format!("{}\n", style.paint(look, &style.wrap(&line, 0)))
}

/// Rows send, columns receive.
fn matrix(snapshot: &Snapshot, style: Style) -> String {
    let names = names(snapshot);
    if names.len() < 2 {
        return style.paint(Look::Dim, "no links: fewer than two clusters are known\n");
    }
    let header: Vec<String> = names.iter().map(|name| format!("to {name}")).collect();
    let header: Vec<&str> = std::iter::once("from").chain(header.iter().map(String::as_str)).collect();
    let mut table = style.table(&header);
    for from in &names {
        let cells = names.iter().map(|to| {
            let link =
                snapshot.links.iter().find(|status| status.link.from == *from && status.link.to == *to);
            match link {
                _ if from == to => Look::Dim.cell("-"),
                Some(link) => cell(link),
                None => Look::Doubtful.cell("?"),
            }
        });
        table.add_row(std::iter::once(Look::Bold.cell(from.as_str())).chain(cells).collect::<Vec<_>>());
    }
    trimmed(&table)
}

fn names(snapshot: &Snapshot) -> Vec<ClusterName> {
    let known = snapshot.clusters.iter().map(|cluster| &cluster.name);
    let linked = snapshot.links.iter().flat_map(|status| [&status.link.from, &status.link.to]);
    known.chain(linked).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn cell(status: &LinkStatus) -> comfy_table::Cell {
    match status.state {
        LinkState::Up => Look::Good.cell(up(status)),
        LinkState::Degraded { cut, of } => Look::Doubtful.cell(format!("{cut} of {of} cut")),
        LinkState::Down => Look::Bad.cell("DOWN"),
        LinkState::Retired => Look::Dim.cell("retired"),
        LinkState::Unknown => Look::Doubtful.cell("?"),
    }
}

/// With the typical latency of its servers, or with the word that only the servers themselves say so.
fn up(status: &LinkStatus) -> String {
    let mut latencies: Vec<Duration> = status.servers.iter().filter_map(|server| server.latency).collect();
    latencies.sort_unstable();
    match (latencies.get(latencies.len() / 2), status.basis) {
        (Some(typical), _) => format!("up {:.1} ms", typical.as_secs_f64() * 1e3),
        (None, Some(Basis::Reports)) => "up (reported)".to_owned(),
        (None, Some(Basis::Beats) | None) => "up".to_owned(),
    }
}

fn clusters(snapshot: &Snapshot, now: DateTime<Utc>, style: Style) -> String {
    let mut table = style.table(&["cluster", "state", "vantage", "clients", "servers"]);
    for cluster in &snapshot.clusters {
        let vantage = snapshot.vantages.iter().find(|vantage| vantage.cluster == cluster.name);
        let vantage = match vantage.map(|vantage| vantage.state) {
            Some(state) => vantage_look(state).cell(state.token()),
            None => Look::Dim.cell("none"),
        };
        let clients: Option<u64> =
            cluster.servers.iter().filter_map(|server| server.connections).reduce(|sum, more| sum + more);
        table.add_row(vec![
            Look::Bold.cell(cluster.name.as_str()),
            cluster_look(cluster.state).cell(cluster_word(cluster)),
            vantage,
            Look::Plain.cell(clients.map_or_else(|| "?".to_owned(), |count| count.to_string())),
            Look::Plain.cell(servers(&cluster.servers, now)),
        ]);
    }
    trimmed(&table)
}

fn cluster_word(cluster: &ClusterStatus) -> String {
    match cluster.state {
        ClusterState::Offline(departure) => format!("offline ({departure})"),
        ClusterState::Unknown
        | ClusterState::Healthy
        | ClusterState::Degraded
        | ClusterState::Isolated
        | ClusterState::Draining
        | ClusterState::Unreachable => cluster.state.token().to_owned(),
    }
}

/// Live servers by name only, others with their state and since when.
fn servers(servers: &[ServerStatus], now: DateTime<Utc>) -> String {
    let named = servers.iter().map(|server| {
        let name = &server.key.name;
        match server.state {
            ServerState::Live => name.to_string(),
            ServerState::Unknown | ServerState::Leaving | ServerState::Stopped | ServerState::Lost => {
                let since = (now - server.since).to_std().unwrap_or_default();
                format!("{name} ({} for {})", server.state, text::span(since))
            }
        }
    });
    named.collect::<Vec<_>>().join(", ")
}

const fn cluster_look(state: ClusterState) -> Look {
    match state {
        ClusterState::Healthy => Look::Good,
        ClusterState::Degraded | ClusterState::Draining | ClusterState::Unknown => Look::Doubtful,
        ClusterState::Isolated | ClusterState::Offline(_) | ClusterState::Unreachable => Look::Bad,
    }
}

const fn vantage_look(state: VantageState) -> Look {
    match state {
        VantageState::Sound => Look::Good,
        VantageState::Connecting | VantageState::Impaired => Look::Doubtful,
        VantageState::Gone => Look::Bad,
    }
}

fn open(snapshot: &Snapshot, now: DateTime<Utc>, style: Style) -> String {
    if snapshot.incidents.is_empty() {
        return format!("{}\n", style.paint(Look::Good, "no open incident"));
    }
    let mut lines =
        format!("{}\n", style.paint(Look::Bold, &counted(snapshot.incidents.len(), "open incident")));
    for incident in &snapshot.incidents {
        let look = if incident.silenced.is_some() { Look::Dim } else { severity_look(incident.severity) };
        let word = style.pad(look, &incident.severity.token().to_uppercase(), 9);
        let silenced = incident.silenced.as_ref().map(|silence| format!(", silenced by {silence}"));
        let details = format!(
            "for {}, {}{}",
            text::span(incident.lasted(now)),
            incident.id,
            silenced.unwrap_or_default()
        );
        lines.push_str(&format!(
            "{word} {}\n{}{}\n",
            style.paint(look, &style.wrap(&text::title(incident), 10)),
            " ".repeat(10),
            style.paint(Look::Dim, &details)
        ));
        let view = text::server_view(&incident.server_view);
        if !view.is_empty() {
            lines.push_str(&format!("{}{}\n", " ".repeat(10), style.wrap(&view, 10)));
        }
    }
    lines
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
