//! Three gatewatch, one of which speaks: cut off, killed, stopped and thawed. Each trouble is told once, by whoever can.

use crate::troupe::{Audience, Player};
use gatewatch::lab::{Fault, Supercluster};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long nobody may speak.
const GAP: Duration = Duration::from_secs(5);

struct Scene {
    lab: Supercluster,
    audience: Audience,
    players: Vec<Player>,
}

impl Scene {
    fn player(&mut self, name: &str) -> &mut Player {
        self.players.iter_mut().find(|player| player.name == name).unwrap()
    }

    fn cut(&self) {
        self.lab.faults().cut_pair("east", "west", Fault::Blackhole).unwrap();
    }

    /// What is stored beyond the first `known` messages: each revision once, and one incident, from opening to resolution.
    async fn one_incident_since(&self, known: usize) -> usize {
        let stored = self.audience.stored().await;
        let ids: BTreeSet<_> = stored.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), stored.len(), "a revision is stored twice: {stored:?}");
        let new = &stored[known..];
        let count = |stage: &str| new.iter().filter(|(is, _)| is == stage).count();
        assert_eq!((count("opened"), count("resolved")), (1, 1), "{new:?}");
        stored.len()
    }
}

fn within_the_gap(what: &str, gap: Duration) {
    println!("{what}: told after {:.2} s", gap.as_secs_f64());
    assert!(gap <= GAP, "{what}: {gap:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_one_goes_on_when_the_one_that_speaks_is_cut_off_killed_or_stopped() {
    let lab = Supercluster::builder().grid(2, 1).client_proxies().start().await.unwrap();
    lab.ready(Duration::from_secs(40)).await.unwrap();
    let audience = Audience::of(&lab).await;
    let east = &lab.servers()[0];
    let (direct, proxied) = (east.client_url(), east.proxied_client_url().unwrap());
    let mut players = vec![Player::start(&lab, "a", &proxied)];
    assert_eq!(audience.until_speaker(|_| true).await, "a");
    players.extend(["b", "c"].map(|name| Player::start(&lab, name, &direct)));
    audience.until_whole(2).await;
    // The others have no sign to give: they need as long as the first one did.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut scene = Scene { lab, audience, players };

    let known = cut_off(&mut scene).await;
    let known = killed(&mut scene, known).await;
    let known = stopped(&mut scene, known).await;
    left_by_itself(&mut scene).await;
    println!("{known} revisions are stored, each once");
}

/// The one that speaks cannot reach the alert account any more.
async fn cut_off(scene: &mut Scene) -> usize {
    scene.audience.mid_minute().await;
    scene.cut();
    scene.lab.faults().cut_clients("east", Fault::Blackhole).unwrap();
    let cut = scene.audience.clock.mono();
    let opened = scene.audience.hears("opened").await;
    assert_ne!(opened.text("source"), "gatewatch/a");
    within_the_gap("cut off", opened.at.since(cut));
    // By now it speaks too, where nobody hears it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    scene.lab.faults().clear_all();
    scene.audience.hears("resolved").await;
    // What it had to say comes late, under the same ids.
    for late in scene.audience.rest(Duration::from_secs(4)).await {
        println!("  late {} {} by {}", late.text("stage"), late.text("id"), late.text("source"));
    }
    assert_ne!(scene.audience.speaker().await.as_deref(), Some("a"));
    scene.one_incident_since(0).await
}

async fn killed(scene: &mut Scene, known: usize) -> usize {
    let leader = scene.audience.until_speaker(|_| true).await;
    scene.cut();
    scene.player(&leader).signal(Signal::KILL);
    let killed = scene.audience.clock.mono();
    let opened = scene.audience.hears("opened").await;
    assert_ne!(opened.text("source"), format!("gatewatch/{leader}"));
    within_the_gap("killed", opened.at.since(killed));
    scene.lab.faults().clear_all();
    scene.audience.hears("resolved").await;
    scene.players.retain(|player| player.name != leader);
    scene.audience.rest(Duration::from_secs(1)).await;
    scene.one_incident_since(known).await
}

async fn stopped(scene: &mut Scene, known: usize) -> usize {
    let leader = scene.audience.until_speaker(|_| true).await;
    scene.cut();
    let opened = scene.audience.hears("opened").await;
    assert_eq!(opened.text("source"), format!("gatewatch/{leader}"));
    scene.player(&leader).signal(Signal::STOP);
    scene.lab.faults().clear_all();
    let stopped = scene.audience.clock.mono();
    let resolved = scene.audience.hears("resolved").await;
    assert_ne!(resolved.text("source"), opened.text("source"));
    within_the_gap("stopped", resolved.at.since(stopped));
    // It finds a supercluster that was cut and healed while it did not run, and a lease that is not its own.
    scene.player(&leader).signal(Signal::CONT);
    let late = scene.audience.rest(Duration::from_secs(5)).await;
    let thawed = late.iter().filter(|late| late.text("source") == opened.text("source")).count();
    println!("  {thawed} messages of the one that was thawed, {} in all", late.len());
    assert!(thawed <= 1, "it speaks with a lease that it lost");
    assert_ne!(scene.audience.speaker().await, Some(leader));
    scene.one_incident_since(known).await
}

/// Who is told to end gives the lease up: the next one need not wait.
async fn left_by_itself(scene: &mut Scene) {
    let leader = scene.audience.until_speaker(|_| true).await;
    let asked = scene.audience.clock.mono();
    scene.player(&leader).signal(Signal::TERM);
    scene.player(&leader).ended().await;
    let ended = scene.audience.since(asked);
    scene.audience.until_speaker(|name| name != leader).await;
    let taken = scene.audience.since(asked);
    println!("left: ended after {:.2} s, taken over after {:.2} s", ended.as_secs_f64(), taken.as_secs_f64());
    assert!(taken <= ended + Duration::from_secs(2));
}
