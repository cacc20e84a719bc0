//! Faults between two clusters.

use super::{Fault, Maker, Scene, clusters, pair_subject};
use crate::story::{Cut, Flap, Step, Wan};
use gatewatch::model::incident::IncidentKind;

pub(super) fn pair_hole(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    maker.cuts(scene, Cut::Drop, &clusters(&a, &b, true));
    let fault = scene.fault("pair hole", &[&a, &b]).expect(IncidentKind::GatewayDown, pair_subject(&a, &b));
    Some(fault.also(IncidentKind::GatewayDegraded, pair_subject(&a, &b)))
}

pub(super) fn pair_refused(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    maker.cuts(scene, Cut::Refuse, &clusters(&a, &b, true));
    let fault =
        scene.fault("pair refused", &[&a, &b]).expect(IncidentKind::GatewayDown, pair_subject(&a, &b));
    Some(fault.also(IncidentKind::GatewayDegraded, pair_subject(&a, &b)))
}

pub(super) fn pair_one_way(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (mut a, mut b) = maker.pair();
    if maker.rng.chance(50) {
        (a, b) = (b, a);
    }
    let cut = if maker.rng.chance(50) { Cut::Drop } else { Cut::Refuse };
    maker.cuts(scene, cut, &clusters(&a, &b, false));
    let fault = scene.fault("one direction", &[&a, &b]).expect_one_way(&a, &b);
    Some(fault.also(IncidentKind::GatewayDegraded, pair_subject(&a, &b)))
}

pub(super) fn pair_reset(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    scene.lasts = 0;
    maker.does(scene.at, Step::Reset(clusters(&a, &b, true)));
    Some(scene.fault("reset", &[&a, &b]))
}

pub(super) fn slower_path(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    let before = maker.story.wan.iter().find(|wan| wan.ends == (a.clone(), b.clone())).cloned();
    let before = before.unwrap_or(Wan { ends: (a.clone(), b.clone()), ms: 4, jitter: 3 });
    let after = Wan { ms: maker.rng.within(50, 300), jitter: maker.rng.within(0, 30), ..before.clone() };
    maker.does(scene.at, Step::Wan(after));
    maker.does(scene.at + scene.lasts, Step::Wan(before));
    Some(scene.fault("slower path", &[&a, &b]))
}

pub(super) fn slow(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    let (ms, jitter) = (*maker.rng.pick(&[200, 1_000]), maker.rng.within(0, 200));
    maker.does(scene.at, Step::Slow(clusters(&a, &b, true), ms, jitter));
    maker.does(scene.at + scene.lasts, Step::Heal(Some(clusters(&a, &b, true))));
    Some(scene.fault("slow", &[&a, &b]))
}

pub(super) fn lossy(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    maker.does(scene.at, Step::Lossy(clusters(&a, &b, true), 5));
    maker.does(scene.at + scene.lasts, Step::Heal(Some(clusters(&a, &b, true))));
    Some(scene.fault("lossy", &[&a, &b]))
}

/// Each time is too short to be told; that it happens again and again may be.
pub(super) fn flapping(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    scene.lasts = 40_000;
    let between = clusters(&a, &b, true);
    let flap = Flap { between, cut: Cut::Refuse, down: 1_000, every: 8_000, lasts: scene.lasts };
    maker.does(scene.at, Step::Flap(flap));
    let fault = scene.fault("flapping", &[&a, &b]);
    let fault = if maker.story.chaos.is_calm() { fault } else { fault.unsettles(&a, &b) };
    Some(fault)
}
