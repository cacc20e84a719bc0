//! The language of stories: what is read is what is written, and a bad line is named.

use crate::story::*;

const WHOLE: &str = "
# Everything the language has.
seed 7
tag ci versions
since 2.10.0
real-only
cluster east 3 spare 1
cluster west 3 version 2.9.10 no-vantage
cluster north 2 absent
link east west
wan east west 80ms jitter 20ms
tls
cold
in-detail
given config * reject-unknown
given blackhole east west
quiet
0s blackhole east/1 -> west
must gateway_degraded warning pair west east cut east/1>west cause packets_lost|unknown within 5s
may gateway_down|gateway_degraded pair east west
may *
may config_drift stays
never * pair east north
1s refuse east west
must gateway_down critical pair east west both links west>east,east>west listed 6
2s drop-dials east -> west
must gateway_down critical pair east west one-way east>west same stays
3s refuse-dials east west
4s heal east/1 -> west
5s heal
6s reset east west
7s slow east west 200ms jitter 20ms
8s lossy east -> west 5%
9s flap east west down 1s every 8s for 60s
9s flap east west refused 1s every 8s for 60s
10s kill east/2
must server_lost warning server east/2 servers east/2 cause crashed within 6s
10s stop west
must cluster_offline warning cluster west departure planned
10s freeze west
10s thaw west
10s start west
10s lame-duck west
11s rolling-restart *
12s upgrade east 2.15.1
13s scale-up east
14s join north
15s retire west
16s config east remove west
16s config east add west
16s config east misname west wset
16s config east password west wrong
16s config east tls expired
16s config east tls untrusted
16s config east tls wrong-name
16s config east dns west
16s config east port west
16s config east restore
17s vantage * refused
17s vantage east unanswered
18s vantage * back
18s vantage east reset
18s vantage east overrun 3s
19s stall 60s
20s wan east west 1ms jitter 1ms
21s gatewatch stops
22s gatewatch starts
22s gatewatch starts afresh
23s gatewatch permissions narrow
24s gatewatch permissions whole
30s end
";

fn error(line: &str) -> String {
    Story::parse(&format!("cluster east 3\n{line}\n9s end")).unwrap_err()
}

#[test]
fn everything_reads_back_as_it_was_written() {
    let story = Story::parse(WHOLE).unwrap();
    let (written, lines) = (story.to_string(), WHOLE.trim().lines().count());
    let again = Story::parse(&written).unwrap();
    assert_eq!(again.to_string(), written);
    assert_eq!(written.lines().count(), lines, "{written}");
    assert_eq!((again.steps, again.given), (story.steps, story.given));
}

#[test]
fn a_must_counts_its_time_from_the_step_before_it() {
    let story = Story::parse(WHOLE).unwrap();
    let moments: Vec<_> = story.musts().map(|must| (must.kind.as_str(), story.moment(must))).collect();
    let expected = [
        ("gateway_degraded", 0),
        ("gateway_down", 1_000),
        ("gateway_down", 2_000),
        ("server_lost", 10_000),
        ("cluster_offline", 10_000),
    ];
    assert_eq!(moments, expected);
    let before = Story::parse("cluster a 1\nmust vantage_lost warning cluster a\n1s heal\n9s end").unwrap();
    assert_eq!(before.musts().map(|must| (must.after, must.within)).collect::<Vec<_>>(), [(None, 6_000)]);
}

#[test]
fn a_bad_line_is_named_with_what_is_wrong_in_it() {
    let bad = [
        ("5s explode west", "unknown step"),
        ("soon kill west", "unknown line"),
        ("5x kill west", "5x is not a time"),
        ("5s kill west/two", "two is not a number"),
        ("5s blackhole west", "between whom?"),
        ("5s blackhole east west now", "now is too much"),
        ("5s slow east west", "slow A B <ms> jitter <ms>"),
        ("5s lossy east west 5", "lossy A B <n>%"),
        ("5s flap east west 1s", "flap A B down|refused"),
        ("5s flap east west closed 1s every 8s for 9s", "closed is no way to flap"),
        ("5s config east forget west", "unknown change of a configuration"),
        ("5s vantage west sad", "unknown fate of a vantage"),
        ("5s gatewatch dances", "unknown fate of gatewatch"),
        ("5s upgrade east new", "new is not a number"),
        ("cluster west 3 idle", "unknown option of a cluster"),
        ("must gateway_dwon critical pair east west", "gateway_dwon is no kind of incident"),
        ("must gateway_down bad pair east west", "bad is no severity"),
        ("must gateway_down critical between east west", "about what?"),
        ("must gateway_down critical pair east west cause gremlins", "gremlins is no cause"),
        ("must gateway_down critical pair east west colour red", "colour is nothing that an incident has"),
        ("must gateway_down critical pair east west within", "within of what?"),
        ("must server_lost warning server west-2", "west-2 is no server"),
        ("must cluster_offline critical cluster west departure sudden", "sudden is no departure"),
        ("must gateway_down", "must <kind> <severity> <about>"),
        ("may gateway_down pair east west both", "both is too much"),
        ("never nothing", "nothing is no kind of incident"),
    ];
    for (line, what) in bad {
        let told = error(line);
        assert!(told.starts_with("line 2: ") && told.contains(what) && told.ends_with(line), "{told}");
    }
    assert_eq!(Story::parse("cluster east 3").unwrap_err(), "a story needs an end");
}

#[test]
fn a_flap_is_unfolded_into_cuts_that_heal() {
    let story = Story::parse("cluster a 1\n0s flap a b down 1s every 8s for 20s\n60s end").unwrap();
    let parts: Vec<_> = story.steps[0].1.unfolded();
    let told: Vec<String> = parts.iter().map(|(at, step)| format!("{at} {step}")).collect();
    let cut = |at: u64| [format!("{at} blackhole a b"), format!("{} heal a b", at + 1_000)];
    assert_eq!(told, [cut(0), cut(8_000), cut(16_000)].concat());
    assert_eq!(Step::Heal(None).unfolded(), [(0, Step::Heal(None))]);
}

fn said(about: About) -> Said {
    Said {
        at: 4_000,
        incident: "1".to_owned(),
        revision: 1,
        stage: "opened".to_owned(),
        kind: "gateway_down".to_owned(),
        severity: "critical".to_owned(),
        about,
        way: Some(Way::Both),
        links: vec!["east>west".to_owned(), "west>east".to_owned()],
        servers: Vec::new(),
        cut: Vec::new(),
        departure: None,
        listed: 6,
        cause: "silent".to_owned(),
    }
}

#[test]
fn what_was_said_fits_only_the_expectation_that_means_it() {
    let fits = |line: &str| {
        let story = Story::parse(&format!("cluster east 3\n{line}\n9s end")).unwrap();
        let must = story.musts().next().unwrap().clone();
        let said = said(About::pair("west", "east"));
        (must.concerns(&said), must.fits(&said), must.is_cause(&said))
    };
    assert_eq!(fits("must gateway_down critical pair east west both"), (true, true, true));
    assert_eq!(
        fits("must gateway_down critical pair east west links west>east,east>west"),
        (true, true, true)
    );
    assert_eq!(fits("must gateway_down critical pair east west cause packets_lost"), (true, true, false));
    assert_eq!(fits("must gateway_down critical pair east west one-way east>west"), (true, false, true));
    assert_eq!(fits("must gateway_down warning pair east west"), (true, false, true));
    assert_eq!(fits("must gateway_down critical pair east west servers west/1"), (true, false, true));
    assert_eq!(fits("must gateway_down critical pair east west listed 6"), (true, true, true));
    assert_eq!(fits("must gateway_down critical pair east west listed 5"), (true, false, true));
    assert_eq!(fits("must gateway_down critical pair east north"), (false, false, true));
    assert_eq!(fits("must gateway_degraded critical pair east west"), (false, false, true));
}

#[test]
fn what_is_allowed_covers_its_kinds_about_its_thing() {
    let covers = |line: &str| {
        let story = Story::parse(&format!("cluster east 3\n{line}\n9s end")).unwrap();
        let Expect::May(allowed) = story.expect[0].clone() else { panic!("{:?}", story.expect) };
        allowed.covers(&said(About::pair("west", "east")))
    };
    assert!(covers("may *"));
    assert!(covers("may gateway_down"));
    assert!(covers("may gateway_degraded|gateway_down pair west east"));
    assert!(!covers("may gateway_degraded pair east west"));
    assert!(!covers("may gateway_down pair east north"));
}

#[test]
fn every_entry_of_the_catalogue_reads_back_and_speaks_of_clusters_that_it_has() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/catalogue");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 45, "only {} entries", files.len());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let story = Story::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let written = story.to_string();
        assert_eq!(Story::parse(&written).unwrap().to_string(), written, "{}", path.display());
        assert!(!story.about.is_empty(), "{} says nothing about itself", path.display());
        let known = |name: &str| story.clusters.iter().any(|cluster| cluster.name == name);
        for must in story.musts() {
            let spoken_of = match &must.about {
                About::Cluster(name) | About::Server(name, _) => vec![name],
                // The other may be a misspelt one.
                About::Pair(a, b) => [a, b].into_iter().filter(|name| known(name)).take(1).collect(),
            };
            assert!(!spoken_of.is_empty(), "{}: {must}", path.display());
            assert!(spoken_of.into_iter().all(|name| known(name)), "{}: {must}", path.display());
        }
    }
}
