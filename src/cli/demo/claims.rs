//! What the servers themselves claim, asked directly: each over a connection of its own, so that no cut can hide an answer.

use crate::lab::Supercluster;
use crate::model::ids::{ClusterName, ServerLink};
use crate::model::observation::Fact;
use crate::model::time::Mono;
use crate::wire::sys::{Decoder, subject};
use futures::StreamExt;
use futures::future::join_all;
use std::time::Duration;

/// How long one server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// How many of these server links are listed as up by their servers, of how many that answered.
pub(super) async fn still_listed(lab: &Supercluster, links: &[ServerLink]) -> (usize, usize) {
    let answers = join_all(links.iter().map(|link| ask(lab, link))).await;
    let answered: Vec<bool> = answers.into_iter().flatten().collect();
    (answered.iter().filter(|listed| **listed).count(), answered.len())
}

/// Whether the server lists its link; `None` when it does not answer.
async fn ask(lab: &Supercluster, link: &ServerLink) -> Option<bool> {
    let outbound = tokio::time::timeout(ANSWER_WITHIN, gateways(lab, link)).await.ok()??;
    Some(outbound.contains(&link.to))
}

/// The remote clusters that the server lists, from GATEWAYZ.
async fn gateways(lab: &Supercluster, link: &ServerLink) -> Option<Vec<ClusterName>> {
    let server = lab.server(link.server.name.as_str()).ok()?;
    let client = server.system_client().await.ok()?;
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(subject::replies(&inbox)).await.ok()?;
    let what = crate::model::ask::Survey::Gateways;
    let reply = subject::survey_reply(&inbox, what, 1);
    client
        .publish_with_reply(subject::request(&server.id()?, what), reply, bytes::Bytes::new())
        .await
        .ok()?;
    let answer = answers.next().await?;
    let mut decoder = Decoder::new(link.server.cluster.clone());
    let fact = decoder.decode(Mono::default(), &answer.subject, &answer.payload).ok()??.fact;
    let Fact::Gateways(report) = fact else { return None };
    Some(report.outbound.into_iter().map(|outbound| outbound.cluster).collect())
}
