//! Changes of configuration, made server by server: some do nothing, because clusters tell each other where they are.

use super::{Fault, Maker, Scene, cluster_subject, pair_subject};
use crate::story::{BadCertificate, Change, ClusterSpec, Sel, Step};
use gatewatch::model::incident::IncidentKind;

/// How long a bad configuration stays. Milliseconds: servers that have just started are given ten seconds to make their links.
const LASTS: u64 = 26_000;

/// One side no longer lists the other, or lists a wrong port or host name. The other side dials it and so tells where it is.
pub(super) fn harmless_change(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (of, to) = maker.configured(scene)?;
    let change = match maker.rng.within(0, 2) {
        0 => Change::Remove(to.clone()),
        1 => Change::Dns(to.clone()),
        _ => Change::Port(to.clone()),
    };
    maker.changes(scene, &of, vec![change]);
    Some(scene.fault("harmless change", &[&of.name, &to]))
}

pub(super) fn wrong_password(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (of, to) = maker.configured(scene)?;
    maker.changes(scene, &of, vec![Change::Password(to.clone(), "wrong".to_owned())]);
    let fault = scene.fault("wrong password", &[&of.name, &to]);
    Some(fault.expect_one_way(&of.name, &to).told_after(scene.at + 1, 15_000).unsettles(&of.name, &to))
}

pub(super) fn bad_certificate(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (of, to) = maker.configured(scene)?;
    let others = maker.others(&of.name);
    maker.story.tls = true;
    let bad =
        *maker.rng.pick(&[BadCertificate::Expired, BadCertificate::Untrusted, BadCertificate::WrongName]);
    maker.changes(scene, &of, vec![Change::Tls(bad)]);
    let mut fault = scene.fault("bad certificate", &[&of.name]);
    for other in &others {
        fault = fault.unsettles(&of.name, other);
    }
    let fault = fault.unsettles_servers(&of);
    let fault = match bad {
        BadCertificate::WrongName => fault.expect_one_way(&to, &of.name),
        BadCertificate::Expired | BadCertificate::Untrusted if maker.many() => {
            fault.expect(IncidentKind::ClusterIsolated, cluster_subject(&of.name))
        }
        BadCertificate::Expired | BadCertificate::Untrusted => {
            fault.expect(IncidentKind::GatewayDown, pair_subject(&of.name, &to))
        }
    };
    Some(fault.told_after(scene.at + 1, 16_000))
}

/// One side, restarted as a whole, neither lists the other nor takes whom it does not list.
pub(super) fn rejected(maker: &mut Maker, scene: &mut Scene) -> Option<Fault> {
    let (of, to) = maker.configured(scene)?;
    let who = Sel::Cluster(of.name.clone());
    maker.does(scene.at, Step::Stop(who.clone()));
    scene.at += 300;
    maker.changes(scene, &of, vec![Change::Remove(to.clone()), Change::RejectUnknown]);
    maker.does(scene.at + 10, Step::Start(who));
    scene.at -= 300;
    scene.lasts += 300;
    let others = maker.others(&of.name);
    let mut fault = scene.fault("rejected", &[&of.name, &to]);
    for other in &others {
        fault = fault.unsettles(&of.name, other);
    }
    let fault = fault.expect(IncidentKind::GatewayDown, pair_subject(&of.name, &to)).whichever_way();
    Some(fault.told_after(scene.at + 310, 20_000).costs_a_connection(&of.name))
}

impl Maker {
    /// A cluster that goes on without one of its servers, and a remote of it.
    fn configured(&mut self, scene: &mut Scene) -> Option<(ClusterSpec, String)> {
        let of = self.cluster();
        let to = self.rng.pick(&self.others(&of.name)).clone();
        scene.lasts = LASTS;
        (of.servers > 1 && scene.alone).then_some((of, to))
    }

    /// Changes them from the scene's beginning on, and restores them so that all of it is over at its end.
    fn changes(&mut self, scene: &mut Scene, of: &ClusterSpec, changes: Vec<Change>) {
        let who = Sel::Cluster(of.name.clone());
        for (at, change) in (scene.at..).zip(changes) {
            self.does(at, Step::Config(who.clone(), change));
        }
        self.does(scene.at + scene.lasts, Step::Config(who, Change::Restore));
        scene.lasts += 1;
    }
}
