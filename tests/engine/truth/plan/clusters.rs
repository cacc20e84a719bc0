//! Faults of whole clusters.

use super::{Fault, Maker, Scene, cluster_subject, clusters, pair_subject};
use crate::story::{Cut, Sel, Step};
use gatewatch::model::incident::IncidentKind;

pub(super) fn cluster_killed(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    maker.does(scene.at, Step::Kill(Sel::Cluster(of.name.clone())));
    maker.does(scene.at + scene.lasts, Step::Start(Sel::Cluster(of.name.clone())));
    let others = maker.others(&of.name);
    let fault = scene.fault("cluster killed", &[&of.name]);
    let fault = fault.expect(IncidentKind::ClusterOffline, cluster_subject(&of.name));
    Some(fault.heals_by_pairs(&of.name, &others).costs_a_connection(&of.name))
}

pub(super) fn cluster_stopped(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    maker.does(scene.at, Step::Stop(Sel::Cluster(of.name.clone())));
    scene.lasts = scene.lasts.max(500);
    maker.does(scene.at + scene.lasts, Step::Start(Sel::Cluster(of.name.clone())));
    let others = maker.others(&of.name);
    let fault = scene.fault("cluster stopped", &[&of.name]);
    let fault = fault.expect(IncidentKind::ClusterOffline, cluster_subject(&of.name));
    Some(fault.heals_by_pairs(&of.name, &others).costs_a_connection(&of.name))
}

pub(super) fn cluster_frozen(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    maker.does(scene.at, Step::Freeze(Sel::Cluster(of.name.clone())));
    maker.does(scene.at + scene.lasts, Step::Thaw(Sel::Cluster(of.name.clone())));
    let others = maker.others(&of.name);
    let fault = scene.fault("cluster frozen", &[&of.name]);
    // A single listener cannot tell a frozen cluster from its own blindness.
    let kind = if maker.many() { IncidentKind::ClusterOffline } else { IncidentKind::VantageLost };
    let fault = fault.expect(kind, cluster_subject(&of.name));
    Some(fault.heals_by_pairs(&of.name, &others).costs_a_connection(&of.name))
}

pub(super) fn cluster_isolated(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let others = maker.others(&of.name);
    for other in &others {
        maker.cuts(scene, Cut::Drop, &clusters(&of.name, other, true));
    }
    let mut fault = scene.fault("cluster isolated", &[&of.name]);
    // Together with another cut it may leave a third cluster alone.
    fault.touches.extend(others.iter().cloned());
    let fault = if maker.many() {
        fault.expect(IncidentKind::ClusterIsolated, cluster_subject(&of.name))
    } else {
        fault.expect(IncidentKind::GatewayDown, pair_subject(&of.name, &others[0]))
    };
    Some(fault.heals_by_pairs(&of.name, &others))
}

pub(super) fn cluster_drained(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let left = scene.at + 12_500;
    scene.lasts += 12_500;
    maker.does(scene.at, Step::LameDuck(Sel::Cluster(of.name.clone())));
    maker.does(scene.at + scene.lasts, Step::Start(Sel::Cluster(of.name.clone())));
    let others = maker.others(&of.name);
    let fault = scene.fault("cluster drained", &[&of.name]);
    let mut fault =
        fault.expect(IncidentKind::ClusterOffline, cluster_subject(&of.name)).told_after(left, 6_000);
    if scene.lasts < 12_500 + super::LASTING + super::CHAOS_SLACK {
        fault = fault.optional();
    }
    Some(fault.heals_by_pairs(&of.name, &others).costs_a_connection(&of.name))
}
