//! What operators do by plan: nobody is paged.

use super::{Fault, Maker, Scene, cluster_subject};
use crate::story::{ClusterSpec, Sel, Step};
use gatewatch::model::incident::IncidentKind;

/// One cluster, or now and then all of them, server by server.
pub(super) fn rolling_restart(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let who = maker.rolled(scene)?;
    maker.does(scene.at, Step::RollingRestart(who));
    Some(maker.unnoticed(scene, "rolling restart"))
}

pub(super) fn upgrade(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let who = maker.rolled(scene)?;
    maker.does(scene.at, Step::Upgrade(who, (2, 15, 1)));
    Some(maker.unnoticed(scene, "upgrade"))
}

pub(super) fn scaled_up(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if !scene.alone || !scene.last {
        return None;
    }
    scene.lasts = 0;
    maker.does(scene.at, Step::ScaleUp(of.name.clone()));
    Some(scene.fault("scaled up", &[&of.name]))
}

pub(super) fn scaled_down(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 || !scene.alone || !scene.last {
        return None;
    }
    scene.lasts = 14_000;
    maker.does(scene.at, Step::LameDuck(Sel::Server(of.name.clone(), of.servers)));
    let fault = scene.fault("scaled down", &[&of.name]);
    Some(Fault { gone: Some((of.name.clone(), Some(of.servers))), ..fault })
}

/// A cluster that nobody configures: the others learn of it by gossip.
pub(super) fn joins(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    if !scene.alone || !scene.last {
        return None;
    }
    let servers = usize::try_from(maker.rng.within(1, 3)).unwrap();
    maker.story.clusters.push(ClusterSpec { absent: true, ..ClusterSpec::new("zenith", servers) });
    scene.lasts = 0;
    maker.does(scene.at, Step::Join("zenith".to_owned()));
    Some(scene.fault("joins", &["zenith"]))
}

/// A cluster is stopped for good; that it is offline by plan is all that is told.
pub(super) fn retired(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let small = maker.story.clusters.iter().any(|cluster| cluster.servers < 2);
    if small || maker.is_blind() || !maker.many() || !scene.alone || !scene.last {
        return None;
    }
    scene.lasts = 1;
    maker.does(scene.at, Step::Retire(of.name.clone()));
    let fault = scene.fault("retired", &[&of.name]);
    let fault = fault.expect(IncidentKind::ClusterOffline, cluster_subject(&of.name));
    let fault = fault.told_after(scene.at + 12_500, 6_000);
    let fault = fault.also(IncidentKind::VantageLost, cluster_subject(&of.name));
    Some(Fault { gone: Some((of.name.clone(), None)), ..fault })
}

impl Maker {
    /// Who is restarted one by one: clusters that go on without one of their servers.
    fn rolled(&mut self, scene: &mut Scene) -> Option<Sel> {
        let of = self.cluster();
        let all = self.rng.chance(20) && self.story.clusters.iter().all(|cluster| cluster.servers > 1);
        scene.lasts = 1;
        match (all, of.servers) {
            _ if !scene.alone => None,
            (true, _) => Some(Sel::Any),
            (false, 1) => None,
            (false, _) => Some(Sel::Cluster(of.name)),
        }
    }

    fn unnoticed(&self, scene: &Scene, name: &'static str) -> Fault {
        let names: Vec<&str> = self.story.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        scene.fault(name, &names)
    }
}
