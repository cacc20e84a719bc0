//! Clusters that grow, shrink, come, go and are upgraded.

use crate::lab_support::{READY, SOON, bare, links, ready, remotes, until_linked};
use gatewatch::lab::{Finder, OLDER_VERSIONS, PINNED_VERSION, Supercluster};
use std::time::Duration;

/// Installing a server takes as long as the network does.
const UPGRADED: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_server_joins_its_cluster_and_leaves_it_again() {
    let lab = ready(bare().cluster("east", 2).spare("east", 1).cluster("west", 1)).await;
    let (west, spare) = (lab.server("west-1").unwrap(), lab.server("east-3").unwrap());
    assert!(spare.is_spare() && spare.pid().is_none());
    assert_eq!(lab.cluster("east").unwrap().servers().len(), 2);
    assert!(!remotes(west).await["east"].contains(&spare.gateway_address().to_string()));

    spare.start().await.unwrap();
    lab.ready(READY).await.unwrap();
    assert_eq!(lab.cluster("east").unwrap().servers().len(), 3);
    assert_eq!(links(spare).await, ["west"]);

    spare.retire(SOON).await.unwrap();
    assert!(spare.is_spare() && spare.pid().is_none());
    west.restart().await.unwrap();
    lab.ready(READY).await.unwrap();
    assert_eq!(lab.cluster("east").unwrap().servers().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_cluster_joins_by_gossip_with_jetstream_and_is_retired() {
    let lab = ready(Supercluster::builder().cluster("east", 1).cluster("west", 2).spare("coast", 2)).await;
    assert_eq!(lab.clusters(), ["east".into(), "west".into()]);
    lab.cluster("coast").unwrap_err();

    lab.spares("coast").unwrap().start().await.unwrap();
    lab.ready(READY).await.unwrap();
    assert_eq!(lab.clusters().len(), 3);
    let east = lab.server("east-1").unwrap();
    assert_eq!(links(east).await, ["coast", "west"]);
    assert!(!remotes(east).await.contains_key("coast"), "known by gossip only");

    let coast = lab.cluster("coast").unwrap();
    coast.retire(SOON).await.unwrap();
    until_linked(east, &["west"]).await;
    assert_eq!(lab.clusters().len(), 2);
    lab.ready(READY).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_upgraded_server_by_server() {
    let finder = Finder::from_env();
    let old = finder.version(OLDER_VERSIONS[0]).await.unwrap();
    let new = finder.version(PINNED_VERSION).await.unwrap();
    let lab = ready(bare().cluster("east", 2).cluster("west", 1).binary(old.clone())).await;
    let version =
        async |name: &str| lab.server(name).unwrap().system_client().await.unwrap().server_info().version;
    assert_eq!(version("east-1").await, old.version.to_string());

    let east = lab.cluster("east").unwrap();
    east.change_options(|options| options.binary = Some(new.clone()));
    lab.roll("east", UPGRADED).await.unwrap();
    assert_eq!(version("east-1").await, new.version.to_string());
    assert_eq!(version("east-2").await, new.version.to_string());
    assert_eq!(version("west-1").await, old.version.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_cluster_ends_and_a_reload_keeps_a_server_alive() {
    let lab = ready(bare().grid(2, 1)).await;
    let west = lab.server("west-1").unwrap();
    let id = west.id();
    west.change_options(|options| options.config = "max_payload: 4321".into());
    west.reload().unwrap();
    let reloaded = async || west.system_client().await.unwrap().server_info().max_payload == 4321;
    crate::lab_support::eventually("it took the change over", reloaded).await;
    assert_eq!(west.id(), id);

    lab.cluster("west").unwrap().drain(SOON).await.unwrap();
    assert_eq!(west.pid(), None);
    lab.ready(READY).await.unwrap();
}
