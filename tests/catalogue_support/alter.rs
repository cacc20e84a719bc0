//! What a story's configuration changes mean in the options of a server.

use super::ground::{GATE, Ground, sides};
use crate::story::{Change, Sel};
use gatewatch::lab::{LabServer, ServerOptions};
use gatewatch::model::ids::ClusterName;

/// A host name that no resolver can even be asked for, so that the failure stays on this machine.
const NO_SUCH_HOST: &str = "no-such-host..invalid";
/// A port where nobody listens.
const NOBODY: &str = "127.0.0.1:1";

impl Ground {
    /// Changes the configuration of these servers; it holds from their next start on.
    pub(super) fn alter(&self, who: &Sel, change: &Change) {
        for server in self.selected(who) {
            let mut options = match change {
                Change::Restore => self.initial(server),
                _ => server.options(),
            };
            self.apply(server, change, &mut options);
            server.set_options(options);
        }
    }

    fn apply(&self, server: &LabServer, change: &Change, options: &mut ServerOptions) {
        match change {
            Change::Restore => {}
            Change::Remove(remote) => {
                let kept = self.remotes(server, options).into_iter().filter(|one| one.as_str() != remote);
                options.remotes = Some(kept.collect());
                options.remote_urls.remove(&ClusterName::from(remote.as_str()));
            }
            Change::Add(remote) => {
                let mut remotes = self.remotes(server, options);
                remotes.push(remote.as_str().into());
                options.remotes = Some(remotes);
            }
            Change::RejectUnknown => options.gateway_config.push_str("reject_unknown_cluster: true\n"),
            Change::Misname(remote, wrong) => {
                self.apply(server, &Change::Remove(remote.clone()), options);
                options.remote_urls.insert(wrong.as_str().into(), self.urls(remote));
            }
            Change::Password(remote, wrong) => {
                let wrong = format!("{}:{wrong}@", GATE.user);
                let right = format!("{}:{}@", GATE.user, GATE.password);
                let urls = self.urls(remote).iter().map(|url| url.replace(&right, &wrong)).collect();
                options.remote_urls.insert(remote.as_str().into(), urls);
            }
            Change::Tls(bad) => {
                options.gateway_tls = self.pki.as_ref().map(|pki| pki.gateway(Some(*bad)));
            }
            Change::Dns(remote) => {
                let url = format!("nats://{NO_SUCH_HOST}:7222");
                options.remote_urls.insert(remote.as_str().into(), vec![url]);
            }
            Change::Port(remote) => {
                options.remote_urls.insert(remote.as_str().into(), vec![format!("nats://{NOBODY}")]);
            }
        }
    }

    /// What it lists now.
    fn remotes(&self, server: &LabServer, options: &ServerOptions) -> Vec<ClusterName> {
        options.remotes.clone().unwrap_or_else(|| {
            let others = self.lab.clusters().into_iter().filter(|other| *other != server.key().cluster);
            others.collect()
        })
    }

    fn urls(&self, cluster: &str) -> Vec<String> {
        self.lab.cluster(cluster).map(|cluster| cluster.gateway_urls()).unwrap_or_default()
    }

    /// The servers that are meant, spare ones only by name.
    pub(super) fn selected(&self, who: &Sel) -> Vec<&LabServer> {
        let meant = |server: &&LabServer| match who {
            Sel::Any => !server.is_spare(),
            Sel::Cluster(name) => server.key().cluster.as_str() == name && !server.is_spare(),
            Sel::Server(cluster, number) => server.key().name.as_str() == sides::name(cluster, *number),
        };
        self.lab.servers().iter().filter(meant).collect()
    }
}
