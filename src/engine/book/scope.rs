//! How findings and incidents lie to each other: the same subject, the same things, a part.

use crate::engine::correlate::Finding;
use crate::model::ids::{ClusterName, ServerKey, ServerLink};
use crate::model::incident::{Family, Incident, IncidentKind, Scope, Subject};
use crate::model::intent::Forget;

/// Whether incidents of this kind lie beside all others: what they tell of is no part of an outage, and no outage a part of it.
pub(super) const fn stands_apart(kind: IncidentKind) -> bool {
    kind.is_standing() || matches!(kind, IncidentKind::GatewayFlapping | IncidentKind::GatewayUnwanted)
}

/// Whether a finding is about what an open incident is about.
pub(super) fn same_subject(incident: &Incident, finding: &Finding) -> bool {
    incident.subject == finding.subject
        && (incident.kind == finding.kind || touch(&incident.scope, &finding.scope))
}

/// Whether one kind of trouble may show itself as the other first: all about the links of a subject, or all about who is heard there.
pub(super) fn akin(a: IncidentKind, b: IncidentKind) -> bool {
    about_links(a) == about_links(b)
}

fn about_links(kind: IncidentKind) -> bool {
    match kind.family() {
        Family::Cut | Family::Flapping | Family::Presence => true,
        Family::View | Family::Cluster | Family::Server | Family::Standing => false,
    }
}

/// Whether a finding touches what an open incident touches, and so may be what has become of it.
pub(super) fn same_things(incident: &Incident, finding: &Finding) -> bool {
    touch(&incident.scope, &finding.scope)
}

pub(super) fn touch(a: &Scope, b: &Scope) -> bool {
    fn meet<T: Ord>(a: &[T], b: &[T]) -> bool {
        a.iter().any(|one| b.binary_search(one).is_ok())
    }
    let sends =
        |links: &[ServerLink], servers: &[ServerKey]| links.iter().any(|link| servers.contains(&link.server));
    meet(&a.clusters, &b.clusters)
        || meet(&a.links, &b.links)
        || meet(&a.server_links, &b.server_links)
        || meet(&a.servers, &b.servers)
        || sends(&a.server_links, &b.servers)
        || sends(&b.server_links, &a.servers)
}

pub(super) fn contains(whole: &Scope, part: &Scope) -> bool {
    fn within<T: Ord>(part: &[T], whole: &[T]) -> bool {
        part.iter().all(|one| whole.binary_search(one).is_ok())
    }
    within(&part.clusters, &whole.clusters)
        && within(&part.links, &whole.links)
        && within(&part.server_links, &whole.server_links)
        && within(&part.servers, &whole.servers)
}

/// Whether a finding is a part of what an open incident tells already.
pub(super) fn covers(incident: &Incident, part: &Finding) -> bool {
    contains(&incident.scope, &part.scope) || within_cluster(incident.kind, &incident.subject, &part.scope)
}

/// Whether a finding is about a whole cluster of which an open incident is a part.
pub(super) fn encompasses(finding: &Finding, part: &Scope) -> bool {
    within_cluster(finding.kind, &finding.subject, part)
}

/// Whether everything of a scope begins or ends in a cluster that is offline or isolated.
fn within_cluster(kind: IncidentKind, subject: &Subject, scope: &Scope) -> bool {
    let (IncidentKind::ClusterOffline | IncidentKind::ClusterIsolated, Subject::Cluster(whole)) =
        (kind, subject)
    else {
        return false;
    };
    let about = |cluster: &ClusterName| cluster == whole;
    scope.clusters.iter().all(about)
        && scope.links.iter().all(|link| about(&link.from) || about(&link.to))
        && scope.server_links.iter().all(|link| about(&link.server.cluster) || about(&link.to))
        && scope.servers.iter().all(|server| about(&server.cluster))
}

/// Takes what was forgotten out of an incident.
pub(super) fn strip(incident: &mut Incident, what: &Forget) {
    let server = |key: &ServerKey| match what {
        Forget::Cluster(name) => key.cluster == *name,
        Forget::Server(gone) => key == gone,
    };
    let cluster = |name: &ClusterName| *what == Forget::Cluster(name.clone());
    let scope = &mut incident.scope;
    scope.clusters.retain(|name| !cluster(name));
    scope.links.retain(|link| !cluster(&link.from) && !cluster(&link.to));
    scope.servers.retain(|key| !server(key));
    let view = &mut incident.server_view;
    for links in [&mut scope.server_links, &mut view.still_listed, &mut view.known_gone] {
        links.retain(|link| !server(&link.server) && !cluster(&link.to));
    }
}

/// Whether a subject is what was forgotten, or a part of it.
pub(super) fn is_about(subject: &Subject, what: &Forget) -> bool {
    match (what, subject) {
        (Forget::Cluster(name), Subject::Cluster(cluster)) => cluster == name,
        (Forget::Cluster(name), Subject::Pair(a, b)) => a == name || b == name,
        (Forget::Cluster(name), Subject::Server(server)) => server.cluster == *name,
        (Forget::Server(key), Subject::Server(server)) => server == key,
        (Forget::Server(_), Subject::Cluster(_) | Subject::Pair(..)) => false,
    }
}
