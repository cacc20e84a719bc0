//! Faults that change while they last, and two that have nothing to do with each other.

use super::{Fault, Maker, Scene, clusters, pair_subject, server_subject};
use crate::story::{Between, Cut, Sel, Step};
use gatewatch::model::incident::IncidentKind;

/// From one server's link to the whole pair and back: one incident all along.
pub(super) fn grows_and_shrinks(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 || !scene.alone {
        return None;
    }
    let to = maker.rng.pick(&maker.others(&of.name)).clone();
    let number = maker.server(&of);
    let from = Sel::Server(of.name.clone(), number);
    let (one, all) =
        (Between { from, to: Sel::Cluster(to.clone()), both: false }, clusters(&of.name, &to, true));
    let grown = scene.at + 11_000;
    scene.lasts = 36_000;
    maker.does(scene.at, Step::Cut(Cut::Drop, one.clone()));
    maker.does(grown, Step::Cut(Cut::Drop, all.clone()));
    maker.does(grown + 11_000, Step::Heal(Some(all)));
    maker.does(scene.at + scene.lasts, Step::Heal(Some(one)));
    let pair = pair_subject(&of.name, &to);
    let fault = scene.fault("grows and shrinks", &[&of.name, &to]);
    let fault = fault.expect(IncidentKind::GatewayDegraded, pair.clone());
    let fault = fault.may_seem(maker.story.chaos, server_subject(&of.name, number));
    let fault = fault.expect(IncidentKind::GatewayDown, pair).told_after(grown, 6_000);
    Some(fault.in_one())
}

/// Both directions are cut and one heals: what is left is the same incident.
pub(super) fn heals_by_half(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    if !scene.alone {
        return None;
    }
    let (a, b) = maker.pair();
    let half = scene.at + 11_000;
    scene.lasts = 36_000;
    maker.does(scene.at, Step::Cut(Cut::Drop, clusters(&a, &b, true)));
    maker.does(half, Step::Cut(Cut::Drop, clusters(&a, &b, false)));
    maker.does(half, Step::Heal(Some(clusters(&a, &b, true))));
    maker.does(scene.at + scene.lasts, Step::Heal(Some(clusters(&a, &b, false))));
    let fault = scene.fault("heals by half", &[&a, &b]);
    let fault = fault.expect(IncidentKind::GatewayDown, pair_subject(&a, &b));
    let fault = fault.expect_one_way(&a, &b).told_after(half, 20_000);
    Some(fault.in_one().also(IncidentKind::GatewayDegraded, pair_subject(&a, &b)))
}

/// A pair is cut, and a server of a third cluster is killed.
pub(super) fn two_at_once(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (a, b) = maker.pair();
    let mut thirds =
        maker.story.clusters.iter().filter(|one| one.name != a && one.name != b && one.servers > 1);
    let third = thirds.next_back()?.clone();
    let number = maker.server(&third);
    let who = Sel::Server(third.name.clone(), number);
    maker.cuts(scene, Cut::Drop, &clusters(&a, &b, true));
    maker.does(scene.at, Step::Kill(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Start(who));
    let fault = scene.fault("two at once", &[&a, &b, &third.name]);
    let fault = fault.expect(IncidentKind::GatewayDown, pair_subject(&a, &b));
    let fault = fault.expect(IncidentKind::ServerLost, server_subject(&third.name, number));
    Some(fault.also(IncidentKind::GatewayDegraded, pair_subject(&a, &b)))
}

/// New connections are refused: nothing is felt, since those that exist live on.
pub(super) fn dials_refused(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    if !scene.alone {
        return None;
    }
    let (a, b) = maker.pair();
    maker.does(scene.at, Step::CutDials(Cut::Refuse, clusters(&a, &b, true)));
    maker.does(scene.at + scene.lasts, Step::Heal(Some(clusters(&a, &b, true))));
    Some(scene.fault("new dials refused", &[&a, &b]))
}
