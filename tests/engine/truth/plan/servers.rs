//! Faults of single servers.

use super::{Fault, Maker, Scene, pair_subject, server_subject};
use crate::story::{Between, Cut, Sel, Step};
use gatewatch::model::incident::IncidentKind;

pub(super) fn server_out_one(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let to = maker.rng.pick(&maker.others(&of.name)).clone();
    let number = maker.server(&of);
    let from = Sel::Server(of.name.clone(), number);
    maker.cuts(scene, Cut::Drop, &Between { from, to: Sel::Cluster(to.clone()), both: false });
    let fault = scene.fault("one server's outbound link", &[&of.name, &to]);
    Some(if of.servers == 1 {
        fault.expect_one_way(&of.name, &to)
    } else {
        let fault = fault.expect(IncidentKind::GatewayDegraded, pair_subject(&of.name, &to));
        fault.may_seem(maker.story.chaos, server_subject(&of.name, number))
    })
}

pub(super) fn server_out_all(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 || !maker.many() {
        return None;
    }
    let number = maker.server(&of);
    let from = Sel::Server(of.name.clone(), number);
    maker.cuts(scene, Cut::Drop, &Between { from, to: Sel::Any, both: false });
    let others = maker.others(&of.name);
    let fault = scene.fault("one server's outbound links", &[&of.name]);
    let fault = fault.expect(IncidentKind::GatewayDegraded, server_subject(&of.name, number));
    Some(fault.heals_by_pairs(&of.name, &others))
}

pub(super) fn server_both_ways(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let others = maker.others(&of.name);
    if of.servers == 1 || !maker.many() {
        return None;
    }
    let number = maker.server(&of);
    for other in &others {
        let (from, to) = (Sel::Server(of.name.clone(), number), Sel::Cluster(other.clone()));
        maker.cuts(scene, Cut::Drop, &Between { from, to, both: true });
    }
    let fault = scene.fault("one server cut off", &[&of.name]);
    let fault = fault.expect(IncidentKind::GatewayDegraded, server_subject(&of.name, number));
    Some(fault.heals_by_pairs(&of.name, &others))
}

pub(super) fn server_killed(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 {
        return None;
    }
    let number = maker.server(&of);
    let who = Sel::Server(of.name.clone(), number);
    maker.does(scene.at, Step::Kill(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Start(who));
    let fault = scene.fault("server killed", &[&of.name]);
    Some(fault.expect(IncidentKind::ServerLost, server_subject(&of.name, number)))
}

pub(super) fn server_stopped(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 {
        return None;
    }
    let who = Sel::Server(of.name.clone(), maker.server(&of));
    scene.lasts = scene.lasts.max(500);
    maker.does(scene.at, Step::Stop(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Start(who));
    Some(scene.fault("server stopped", &[&of.name]))
}

pub(super) fn server_frozen(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 {
        return None;
    }
    let number = maker.server(&of);
    let who = Sel::Server(of.name.clone(), number);
    maker.does(scene.at, Step::Freeze(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Thaw(who));
    // When our own connection leads to the frozen server, it must first be given up and made anew.
    let fault = scene.fault("server frozen", &[&of.name]);
    Some(fault.expect_within(IncidentKind::ServerLost, server_subject(&of.name, number), 6_500))
}

pub(super) fn lame_duck(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    if of.servers == 1 {
        return None;
    }
    scene.lasts = 14_000;
    let who = Sel::Server(of.name.clone(), maker.server(&of));
    maker.does(scene.at, Step::LameDuck(who.clone()));
    maker.does(scene.at + scene.lasts, Step::Start(who));
    Some(scene.fault("lame duck", &[&of.name]))
}

pub(super) fn all_servers_but_one(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let of = maker.cluster();
    let to = maker.rng.pick(&maker.others(&of.name)).clone();
    if of.servers < 3 {
        return None;
    }
    let spared = maker.server(&of);
    for number in (1..=of.servers).filter(|&number| number != spared) {
        let from = Sel::Server(of.name.clone(), number);
        maker.cuts(scene, Cut::Drop, &Between { from, to: Sel::Cluster(to.clone()), both: false });
    }
    let fault = scene.fault("all servers but one", &[&of.name, &to]);
    Some(fault.expect(IncidentKind::GatewayDegraded, pair_subject(&of.name, &to)))
}
