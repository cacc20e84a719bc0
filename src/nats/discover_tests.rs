use super::{Directory, MAX_ADDRESSES, MAX_CLUSTERS, MAX_NAMED, address};
use crate::model::ids::ClusterName;
use crate::model::observation::{ConfigReport, ServerIdentity};
use async_nats::ServerAddr;

fn report(cluster: &str, server: &str, urls: &[&str]) -> ConfigReport {
    let who =
        ServerIdentity { id: server.into(), name: server.into(), cluster: cluster.into(), version: None };
    ConfigReport { connect_urls: urls.iter().map(|&url| url.to_owned()).collect(), ..ConfigReport::new(who) }
}

fn addr(text: &str) -> ServerAddr {
    text.parse().unwrap()
}

fn known(directory: &Directory, cluster: &str) -> Vec<String> {
    let addresses = directory.addresses(&ClusterName::from(cluster));
    addresses.iter().map(|address| address.as_url_str().to_owned()).collect()
}

#[test]
fn the_addresses_of_all_servers_of_a_cluster_are_kept_and_renewed() {
    let mut directory = Directory::default();
    directory.learn(&report("east", "e1", &["10.0.0.1:4222", "10.0.0.2:4222"]));
    directory.learn(&report("east", "e2", &["10.0.0.2:4222", "10.0.0.3:4222"]));
    assert_eq!(
        known(&directory, "east"),
        ["nats://10.0.0.1:4222", "nats://10.0.0.2:4222", "nats://10.0.0.3:4222"]
    );
    directory.learn(&report("east", "e1", &["10.0.0.9:4222"]));
    assert_eq!(
        known(&directory, "east"),
        ["nats://10.0.0.9:4222", "nats://10.0.0.2:4222", "nats://10.0.0.3:4222"]
    );
}

#[test]
fn a_configured_address_comes_first_and_is_listed_once() {
    let mut directory = Directory::default();
    directory.learn(&report("east", "e1", &["10.0.0.1:4222", "10.0.0.2:4222"]));
    directory.found(&ClusterName::from("east"), addr("tls://10.0.0.2:4222"));
    assert_eq!(known(&directory, "east"), ["tls://10.0.0.2:4222", "nats://10.0.0.1:4222"]);
}

#[test]
fn what_servers_tell_does_not_change_a_configured_vantage() {
    let mut directory = Directory::default();
    directory.fix(&ClusterName::from("east"), vec![addr("nats://lb.east:4222")]);
    directory.learn(&report("east", "e1", &["10.0.0.1:4222"]));
    directory.found(&ClusterName::from("east"), addr("nats://seed:4222"));
    assert_eq!(known(&directory, "east"), ["nats://lb.east:4222"]);
}

#[test]
fn addresses_that_nobody_can_connect_to_are_left_out() {
    for url in ["0.0.0.0:4222", "[::]:4222", "", ":4222", "host:0", "u:p@host:4222", "a b:4222", "host:99999"]
    {
        assert!(address(url, false).is_none(), "{url}");
    }
    assert_eq!(address("[fd00::1]:4222", true).unwrap().as_url_str(), "tls://[fd00::1]:4222");
}

#[test]
fn a_report_without_usable_addresses_does_not_forget_those_known() {
    let mut directory = Directory::default();
    directory.learn(&report("east", "e1", &["10.0.0.1:4222"]));
    directory.learn(&report("east", "e1", &["0.0.0.0:4222"]));
    assert_eq!(known(&directory, "east"), ["nats://10.0.0.1:4222"]);
}

#[test]
fn a_flood_of_names_is_bounded() {
    let mut directory = Directory::default();
    let many: Vec<String> = (0..MAX_ADDRESSES + 9).map(|n| format!("h{n}:4222")).collect();
    directory.learn(&report("east", "e1", &many.iter().map(String::as_str).collect::<Vec<_>>()));
    for n in 0..MAX_CLUSTERS + 9 {
        directory.met(&ClusterName::from(format!("c{n}").as_str()));
    }
    assert_eq!(known(&directory, "east").len(), MAX_ADDRESSES);
    assert_eq!(directory.clusters().count(), MAX_NAMED + 1);
    directory.learn(&report("west", "w1", &["10.0.0.1:4222"]));
    assert_eq!(known(&directory, "west"), ["nats://10.0.0.1:4222"], "one that can be found has its place");
    for n in 0..MAX_CLUSTERS + 9 {
        directory.learn(&report(&format!("d{n}"), "d1", &["10.0.0.1:4222"]));
    }
    assert_eq!(directory.clusters().count(), MAX_CLUSTERS);
}

#[test]
fn a_remote_named_by_a_configuration_is_a_cluster_to_look_for() {
    let mut directory = Directory::default();
    let mut east = report("east", "e1", &[]);
    east.remotes = vec![ClusterName::from("west").into()];
    directory.learn(&east);
    assert!(!directory.met(&ClusterName::from("west")));
    assert!(known(&directory, "west").is_empty());
}
