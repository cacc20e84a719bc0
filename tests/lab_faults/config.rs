//! What is wrong in a configuration, on one side or on both.

use crate::lab_support::{READY, SOON, bare, eventually, links, logged, ready, remotes, until_linked};
use crate::pki::{Authority, Certificate};
use futures::StreamExt;
use gatewatch::lab::{Builder, Credentials, GatewayTls, LabServer, ServerOptions, Supercluster};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

const LOOPBACK: &[&str] = &["127.0.0.1"];

/// A name that no resolver is asked for, since it cannot be one.
const NO_HOST: &str = "nats://no-such-host..invalid:7222";

/// Lists these URLs for a remote, from the next start on.
fn list(server: &LabServer, remote: &str, url: String) {
    server.change_options(|options| {
        options.remote_urls.insert(remote.into(), vec![url]);
    });
}

async fn restarted_together(lab: &Supercluster) {
    for server in lab.servers() {
        server.stop(SOON).await.unwrap();
    }
    futures::future::try_join_all(lab.servers().iter().map(LabServer::start)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_port_or_host_on_one_side_heals_by_gossip_and_on_both_sides_does_not() {
    let lab = ready(bare().grid(2, 1)).await;
    let (east, west) = (lab.server("east-1").unwrap(), lab.server("west-1").unwrap());
    list(east, "west", NO_HOST.to_owned());
    east.restart().await.unwrap();
    lab.ready(READY).await.unwrap();
    let learned = remotes(east).await.remove("west").unwrap();
    assert!(learned.contains(&west.gateway_address().to_string()), "{learned:?}");

    list(west, "east", "nats://127.0.0.1:9".to_owned());
    restarted_together(&lab).await;
    eventually("both try", async || {
        !logged(east, "no such host").is_empty() && !logged(west, "connection refused").is_empty()
    })
    .await;
    assert!(links(east).await.is_empty() && links(west).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_stops_the_direction_of_who_dials_with_it_and_raises_an_error_event() {
    let login = |password: &str| Credentials { user: "gate".into(), password: password.into() };
    let options = || ServerOptions { gateway_login: Some(login("right")), ..ServerOptions::default() };
    let lab = ready(bare().grid(2, 1).server("east-1", options()).server("west-1", options())).await;
    let (east, west) = (lab.server("east-1").unwrap(), lab.server("west-1").unwrap());
    let mut errors =
        west.system_client().await.unwrap().subscribe("$SYS.SERVER.*.CLIENT.AUTH.ERR").await.unwrap();

    list(east, "west", format!("nats://gate:wrong@{}", west.gateway_address()));
    east.restart().await.unwrap();
    let error = timeout(SOON, errors.next()).await.unwrap().unwrap();
    let body: Value = serde_json::from_slice(&error.payload).unwrap();
    assert_eq!(body["client"]["kind"], "Gateway", "{body:#}");
    assert_eq!(body["server"]["name"], "west-1", "{body:#}");
    until_linked(west, &["east"]).await;
    assert!(links(east).await.is_empty());

    east.change_options(|options| options.remote_urls.clear());
    east.restart().await.unwrap();
    lab.ready(READY).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_removed_or_misspelt_on_one_side_is_linked_all_the_same_unless_unknown_ones_are_rejected() {
    let lab = ready(bare().grid(2, 1)).await;
    let (east, west) = (lab.server("east-1").unwrap(), lab.server("west-1").unwrap());
    east.change_options(|options| options.remotes = Some(Vec::new()));
    east.restart().await.unwrap();
    lab.ready(READY).await.unwrap();
    assert!(remotes(east).await.is_empty());

    list(east, "wset", west.gateway_url());
    east.restart().await.unwrap();
    lab.ready(READY).await.unwrap();
    assert_eq!(remotes(east).await.into_keys().collect::<Vec<_>>(), ["wset"]);
    eventually("the name is noticed", async || !logged(east, "remote gateway name is \"west\"").is_empty())
        .await;

    east.change_options(|options| options.gateway_config = "reject_unknown_cluster: true".into());
    east.restart().await.unwrap();
    eventually("west is rejected", async || !logged(west, "\"east\" rejected").is_empty()).await;
    assert!(links(east).await.is_empty() && links(west).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn spokes_that_reject_unknown_clusters_are_linked_to_the_hub_only() {
    let spoke = || ServerOptions {
        remotes: Some(vec!["hub".into()]),
        gateway_config: "reject_unknown_cluster: true".into(),
        ..ServerOptions::default()
    };
    let clusters = bare().cluster("hub", 1).cluster("left", 1).cluster("right", 1);
    let lab = clusters.server("left-1", spoke()).server("right-1", spoke()).start().await.unwrap();
    lab.ready_without(&[("left", "right")], READY).await.unwrap();
    let error = lab.ready(Duration::from_secs(3)).await.unwrap_err().to_string();
    assert!(error.contains("left/left-1 has no outbound gateway connection to right"), "{error}");
    assert_eq!(links(lab.server("hub-1").unwrap()).await, ["left", "right"]);
}

fn with_tls(authority: &Authority, certificate: &Certificate) -> ServerOptions {
    let Certificate { cert, key } = certificate;
    let tls = GatewayTls { cert: cert.clone(), key: key.clone(), ca: authority.ca() };
    ServerOptions { gateway_tls: Some(tls), ..ServerOptions::default() }
}

/// Two clusters of one server, whose gateways have sound certificates of one authority.
fn tls_pair(authority: &Authority) -> Builder {
    let options = |name: &str| with_tls(authority, &authority.sign(name, LOOPBACK));
    bare().grid(2, 1).server("east-1", options("east")).server("west-1", options("west"))
}

/// Restarts west with these options and waits until both servers have logged why they have no link.
async fn unlinked(lab: &Supercluster, options: ServerOptions, east_says: &str, west_says: &str) {
    let (east, west) = (lab.server("east-1").unwrap(), lab.server("west-1").unwrap());
    west.set_options(options);
    west.restart().await.unwrap();
    for (server, says) in [(east, east_says), (west, west_says)] {
        eventually(&format!("{} logs {says:?}", server.key()), async || !logged(server, says).is_empty())
            .await;
    }
    assert!(links(east).await.is_empty() && links(west).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_with_tls_are_linked_through_the_proxies_and_cut_by_them() {
    let authority = Authority::new();
    let lab = ready(tls_pair(&authority)).await;
    let (east, west) = (lab.server("east-1").unwrap(), lab.server("west-1").unwrap());
    lab.faults().cut_direction("east", "west", gatewatch::lab::Fault::Reset).unwrap();
    until_linked(east, &[]).await;
    assert_eq!(links(west).await, ["east"]);
    lab.faults().clear_all();
    lab.ready(READY).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_an_expired_certificate_is_linked_neither_way_until_it_has_a_sound_one() {
    let authority = Authority::new();
    let lab = ready(tls_pair(&authority)).await;
    let sound = lab.server("west-1").unwrap().options();
    let expired = with_tls(&authority, &authority.sign_expired("late", LOOPBACK));
    unlinked(&lab, expired, "certificate has expired", "bad certificate").await;
    let west = lab.server("west-1").unwrap();
    west.set_options(sound);
    west.restart().await.unwrap();
    lab.ready(READY).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_another_authority_is_linked_neither_way() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let lab = ready(tls_pair(&authority)).await;
    let strange = with_tls(&stranger, &stranger.sign("west", LOOPBACK));
    unlinked(&lab, strange, "unknown authority", "unknown authority").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host_stops_those_who_dial_it() {
    let authority = Authority::new();
    let lab = ready(tls_pair(&authority)).await;
    let west = lab.server("west-1").unwrap();
    west.set_options(with_tls(&authority, &authority.sign("elsewhere", &["elsewhere.example"])));
    west.restart().await.unwrap();
    let east = lab.server("east-1").unwrap();
    eventually("east says why", async || !logged(east, "certificate").is_empty()).await;
    until_linked(west, &["east"]).await;
    assert!(links(east).await.is_empty());
}
