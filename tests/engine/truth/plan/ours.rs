//! Faults of our own.

use super::{Fault, LASTING, Maker, Scene, cluster_subject, clusters, pair_subject};
use crate::story::{Cut, Permissions, Step};
use gatewatch::model::incident::IncidentKind;

pub(super) fn vantage_cut(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let cut = if maker.rng.chance(50) { Cut::Drop } else { Cut::Refuse };
    maker.does(scene.at, Step::VantageCut(of.name.clone(), cut));
    maker.does(scene.at + scene.lasts, Step::VantageBack(of.name.clone()));
    let fault = scene.fault("vantage cut", &[&of.name]);
    Some(fault.expect(IncidentKind::VantageLost, cluster_subject(&of.name)))
}

pub(super) fn vantage_reset(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    scene.lasts = 0;
    maker.does(scene.at, Step::VantageReset(of.name.clone()));
    Some(scene.fault("vantage reset", &[&of.name]))
}

pub(super) fn own_stall(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    maker.does(scene.at, Step::Stall(scene.lasts));
    Some(scene.fault("own stall", &[]))
}

pub(super) fn overrun(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    maker.does(scene.at, Step::Overrun(of.name.clone(), scene.lasts));
    let mut fault = scene.fault("overrun", &[&of.name]).costs_a_connection(&of.name);
    // Nothing is heard for long: when the notices of that are lost too, it is said.
    fault.extra = usize::from(!maker.story.chaos.is_calm());
    Some(fault)
}

pub(super) fn gatewatch_restarts(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    maker.does(scene.at, Step::GatewatchStop);
    maker.does(scene.at + scene.lasts, Step::GatewatchStart);
    Some(scene.fault("gatewatch restarts", &[]))
}

pub(super) fn all_vantages_cut(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let cut = if maker.rng.chance(50) { Cut::Drop } else { Cut::Refuse };
    // A shorter one may leave some connections lost and others not, each told by itself.
    scene.lasts = scene.lasts.max(LASTING + 500);
    maker.does(scene.at, Step::VantageCut("*".to_owned(), cut));
    maker.does(scene.at + scene.lasts, Step::VantageBack("*".to_owned()));
    let names: Vec<String> = maker.story.clusters.iter().map(|cluster| cluster.name.clone()).collect();
    // Blindness everywhere is one incident, under the name of the first cluster.
    let mut fault = scene.fault("all vantages cut", &[]);
    fault = fault.expect(IncidentKind::VantageLost, cluster_subject(&names[0]));
    for name in &names[1..] {
        fault = fault.also(IncidentKind::VantageLost, cluster_subject(name));
    }
    fault.touches = names;
    Some(fault)
}

pub(super) fn long_stall(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    scene.lasts = 60_000;
    own_stall(maker, scene)
}

/// gatewatch starts while a pair is cut, and knows nothing of what was before.
pub(super) fn started_in_an_outage(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    if !scene.alone {
        return None;
    }
    let (a, b) = maker.pair();
    scene.lasts = 28_000;
    maker.does(scene.at, Step::GatewatchStop);
    maker.does(scene.at + 1_000, Step::Cut(Cut::Drop, clusters(&a, &b, true)));
    maker.does(scene.at + 3_000, Step::GatewatchStartAfresh);
    maker.does(scene.at + scene.lasts, Step::Heal(Some(clusters(&a, &b, true))));
    let fault = scene.fault("started in an outage", &[&a, &b]);
    let fault = fault.expect(IncidentKind::GatewayDown, pair_subject(&a, &b));
    Some(fault.told_after(scene.at + 3_000, 20_000).unsettles(&a, &b))
}

/// Our login may ask nothing: we are blind, and nothing else is said.
pub(super) fn permissions_narrow(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    if !scene.alone {
        return None;
    }
    maker.does(scene.at, Step::Permissions(Permissions::Narrow));
    maker.does(scene.at + scene.lasts, Step::Permissions(Permissions::Whole));
    let mut fault = scene.fault("permissions too narrow", &[]);
    for cluster in &maker.story.clusters {
        fault = fault.costs_a_connection(&cluster.name);
        fault.touches.push(cluster.name.clone());
    }
    Some(fault.with_extra(super::ANY))
}
