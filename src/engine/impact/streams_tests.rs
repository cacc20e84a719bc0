use super::{Feed, Streams};
use crate::model::ids::ServerKey;
use crate::model::impact::CopyRole;
use crate::model::jetstream::{Origin, StreamInfo};
use crate::model::time::Mono;
use std::time::Duration;

fn server(name: &str) -> ServerKey {
    let (cluster, _) = name.split_once('-').unwrap();
    ServerKey { cluster: cluster.into(), name: name.into() }
}

fn stream(name: &str, last_sequence: u64) -> StreamInfo {
    StreamInfo {
        account: "APP".to_owned(),
        name: name.to_owned(),
        last_sequence,
        messages: last_sequence,
        mirror: None,
        sources: Vec::new(),
    }
}

fn origin(stream: &str) -> Origin {
    Origin { stream: stream.to_owned(), lag: 0, heard: Some(Duration::from_millis(300)), external: false }
}

fn mirror(name: &str, of: &str, last_sequence: u64) -> StreamInfo {
    StreamInfo { mirror: Some(origin(of)), ..stream(name, last_sequence) }
}

fn told(streams: &mut Streams, by: &str, second: u64, what: &[StreamInfo]) {
    streams.take(&server(by), Mono::from_millis(second * 1_000), what);
}

fn links(streams: &Streams) -> Vec<String> {
    streams
        .feeds()
        .into_keys()
        .map(|id| format!("{} {} {} over {}", id.role, id.stream, id.origin, id.link))
        .collect()
}

#[test]
fn a_copy_in_another_cluster_than_its_origin_is_fed_over_the_link_between() {
    let mut streams = Streams::default();
    told(&mut streams, "east-1", 1, &[stream("ORDERS", 20)]);
    told(&mut streams, "east-2", 1, &[mirror("NEAR", "ORDERS", 20)]);
    let all = StreamInfo { sources: vec![origin("ORDERS"), origin("UNKNOWN")], ..stream("ALL", 3) };
    told(&mut streams, "west-1", 2, &[mirror("FAR", "ORDERS", 18), all]);
    assert_eq!(
        links(&streams),
        ["source ALL ORDERS over east -> west", "mirror FAR ORDERS over east -> west"]
    );
    let feeds = streams.feeds();
    let far: &Feed = feeds.iter().find(|(id, _)| id.role == CopyRole::Mirror).unwrap().1;
    assert_eq!((far.origin.last, far.copy.last), (20, 18));
    assert_eq!(far.heard, Some(Mono::from_millis(1_700)));
    assert_eq!(far.known_at(), Mono::from_millis(1_000));
}

#[test]
fn what_lies_in_another_domain_or_account_is_left_out() {
    let mut streams = Streams::default();
    told(&mut streams, "east-1", 1, &[stream("ORDERS", 20)]);
    let external = Origin { external: true, ..origin("ORDERS") };
    let foreign = StreamInfo { mirror: Some(external), ..stream("FAR", 1) };
    let other = StreamInfo { account: "OTHER".to_owned(), ..mirror("FAR", "ORDERS", 1) };
    told(&mut streams, "west-1", 1, &[foreign, other]);
    assert_eq!(links(&streams), Vec::<String>::new());
}

#[test]
fn a_name_that_is_there_in_several_clusters_names_no_origin() {
    let mut streams = Streams::default();
    told(&mut streams, "east-1", 1, &[stream("ORDERS", 20)]);
    told(&mut streams, "west-1", 1, &[stream("ORDERS", 5), mirror("COPY", "ORDERS", 5)]);
    told(&mut streams, "central-1", 1, &[mirror("THIRD", "ORDERS", 5)]);
    assert_eq!(links(&streams), Vec::<String>::new());
}

#[test]
fn an_answer_replaces_all_that_its_server_told_before_unless_it_is_older() {
    let mut streams = Streams::default();
    told(&mut streams, "east-1", 1, &[stream("ORDERS", 20)]);
    told(&mut streams, "west-1", 5, &[mirror("FAR", "ORDERS", 18)]);
    told(&mut streams, "west-1", 4, &[]);
    assert_eq!(links(&streams).len(), 1);
    // The leadership moved to another server of the same cluster.
    told(&mut streams, "east-2", 6, &[stream("ORDERS", 30)]);
    assert_eq!(streams.feeds().values().next().unwrap().origin.last, 30);
    told(&mut streams, "west-1", 7, &[]);
    assert_eq!(links(&streams), Vec::<String>::new());
}

#[test]
fn what_is_kept_is_bounded() {
    let mut streams = Streams::default();
    let many: Vec<_> = (0..4_000).map(|n| stream(&n.to_string(), 1)).collect();
    for n in 0..30 {
        told(&mut streams, &format!("east-{n}"), 1, &many);
    }
    assert!(streams.held <= super::MAX_STREAMS && streams.held > 90_000, "{}", streams.held);
    for n in 0..30 {
        told(&mut streams, &format!("east-{n}"), 2, &[]);
    }
    assert_eq!(streams.held, 0);
}
