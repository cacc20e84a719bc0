//! A running supercluster: its servers by name, its clusters, its credentials and its faults.

use super::binary::ServerBinary;
use super::builder::Builder;
use super::config::{Credentials, ServerOptions};
use super::control::ControlError;
use super::faults::{Faults, UnknownName};
use super::ready::{self, ReadyError};
use super::seat::Estate;
use super::server::LabServer;
use crate::model::ids::{ClusterName, ServerKey};
use futures::future::try_join_all;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A client could not connect to a server of the lab.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect a client to server {server}")]
pub struct ConnectError {
    /// Which server.
    pub server: ServerKey,
    /// The client library's reason.
    #[source]
    pub source: async_nats::ConnectError,
}

/// Why a rolling restart did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RollError {
    /// There is no such cluster.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// A server did not stop or not start.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The supercluster was not complete in time after a server came back.
    #[error(transparent)]
    Ready(#[from] ReadyError),
}

/// Real servers on loopback, connected through fault proxies. Dropping it stops and removes everything.
///
/// The proxies run as tasks of the runtime on which it was started.
#[derive(Debug)]
pub struct Supercluster {
    // Order matters on drop: servers die before their workspace is removed.
    servers: Vec<LabServer>,
    faults: Faults,
    estate: Arc<Estate>,
}

impl Supercluster {
    /// Describes a supercluster to start.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(super) fn new(servers: Vec<LabServer>, faults: Faults, estate: Arc<Estate>) -> Self {
        Self { servers, faults, estate }
    }

    /// Waits until every running server has an outbound gateway connection to every other cluster that runs, a client
    /// of it gets answers from every running server, and JetStream (if enabled) has elected its meta leader.
    ///
    /// # Errors
    /// [`ReadyError`] when `limit` has passed (it names what is missing) or when a server ended (with its log).
    pub async fn ready(&self, limit: Duration) -> Result<(), ReadyError> {
        self.ready_without(&[], limit).await
    }

    /// As [`Supercluster::ready`], but for these pairs of clusters, which are not linked by design (hub and spoke) or by a
    /// fault that lasts: nothing is waited for between them.
    ///
    /// # Errors
    /// Those of [`Supercluster::ready`].
    pub async fn ready_without(&self, pairs: &[(&str, &str)], limit: Duration) -> Result<(), ReadyError> {
        let both_ways =
            pairs.iter().flat_map(|(a, b)| [((*a).into(), (*b).into()), ((*b).into(), (*a).into())]);
        ready::await_mesh(self, &both_ways.collect(), limit).await
    }

    /// Restarts the servers of a cluster one after the other, with their present options (another program, for instance),
    /// and waits after each until the supercluster is complete, up to `limit` each time.
    ///
    /// # Errors
    /// [`RollError`]; later servers are then left alone.
    pub async fn roll(&self, cluster: &str, limit: Duration) -> Result<(), RollError> {
        for server in self.cluster(cluster)?.servers() {
            server.restart().await?;
            self.ready(limit).await?;
        }
        Ok(())
    }

    /// The faults between the clusters.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// All servers, spare ones too, in the order in which they were described (those of a cluster together).
    #[must_use]
    pub fn servers(&self) -> &[LabServer] {
        &self.servers
    }

    /// The server of this name.
    ///
    /// # Errors
    /// [`UnknownName`] when there is none.
    pub fn server(&self, name: &str) -> Result<&LabServer, UnknownName> {
        let found = self.servers.iter().find(|server| server.key().name.as_str() == name);
        found.ok_or_else(|| UnknownName(name.to_owned()))
    }

    /// The cluster of this name: its servers but the spare ones, running or not.
    ///
    /// # Errors
    /// [`UnknownName`] when there is none.
    pub fn cluster(&self, name: &str) -> Result<LabCluster<'_>, UnknownName> {
        self.those_of(name, |server| !server.is_spare())
    }

    /// The spare servers of a cluster, to be started together. They are a part of [`Supercluster::cluster`] from then on.
    ///
    /// # Errors
    /// [`UnknownName`] when there are none.
    pub fn spares(&self, cluster: &str) -> Result<LabCluster<'_>, UnknownName> {
        self.those_of(cluster, LabServer::is_spare)
    }

    fn those_of(
        &self,
        cluster: &str,
        wanted: impl Fn(&LabServer) -> bool,
    ) -> Result<LabCluster<'_>, UnknownName> {
        let own = self.servers.iter().filter(|server| server.key().cluster.as_str() == cluster);
        let servers: Vec<&LabServer> = own.filter(|server| wanted(server)).collect();
        if servers.is_empty() { Err(UnknownName(cluster.to_owned())) } else { Ok(LabCluster { servers }) }
    }

    /// The names of the clusters, in the order in which they were described; not of those that have spare servers only.
    #[must_use]
    pub fn clusters(&self) -> Vec<ClusterName> {
        let own = self.servers.iter().filter(|server| !server.is_spare());
        let mut names: Vec<ClusterName> = own.map(|server| server.key().cluster.clone()).collect();
        names.dedup();
        names
    }

    /// User of the system account that may do what whoever watches must be allowed, and no more; nobody when [`Builder::logins`] left the accounts to the configuration.
    #[must_use]
    pub fn system(&self) -> &Credentials {
        &self.estate.common.system
    }

    /// User of the account `APP`, which may use JetStream, that may do what whoever watches must be allowed, and no more; nobody when
    /// [`Builder::logins`] left the accounts to the configuration. [`LabServer::app_client`] may do everything.
    #[must_use]
    pub fn app(&self) -> &Credentials {
        &self.estate.common.app
    }

    /// User of the account `APP` that may do everything there, as the lab's own clients do.
    #[must_use]
    pub fn own_app(&self) -> &Credentials {
        &self.estate.common.own.app
    }

    /// The program that servers run unless their options name another.
    #[must_use]
    pub fn binary(&self) -> &ServerBinary {
        &self.estate.binary
    }

    /// The directory of the lab; removed with it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.estate.workspace.path()
    }

    pub(super) fn has_jetstream(&self) -> bool {
        self.estate.common.jetstream
    }
}

impl Drop for Supercluster {
    fn drop(&mut self) {
        self.servers.iter().for_each(LabServer::begin_kill);
    }
}

/// All servers of one cluster, to be steered together.
#[derive(Debug, Clone)]
pub struct LabCluster<'a> {
    servers: Vec<&'a LabServer>,
}

impl LabCluster<'_> {
    /// Its servers.
    #[must_use]
    pub fn servers(&self) -> &[&LabServer] {
        &self.servers
    }

    /// Where clients connect, one URL for each server.
    #[must_use]
    pub fn client_urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.client_url()).collect()
    }

    /// Where the gateways of other clusters dial, one URL for each server, with the login it asks for.
    #[must_use]
    pub fn gateway_urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.gateway_url()).collect()
    }

    /// Changes the options of every server, from its next start on.
    pub fn change_options(&self, change: impl Fn(&mut ServerOptions)) {
        self.servers.iter().for_each(|server| server.change_options(&change));
    }

    /// [`LabServer::start`] on every server at the same time.
    ///
    /// # Errors
    /// The first one met.
    pub async fn start(&self) -> Result<(), ControlError> {
        // First, so that spare servers list each other from the start.
        self.servers.iter().for_each(|server| server.enlist());
        try_join_all(self.servers.iter().map(|server| server.start())).await.map(drop)
    }

    /// [`LabServer::kill`] on every server at the same time.
    ///
    /// # Errors
    /// The first one met.
    pub async fn kill(&self) -> Result<(), ControlError> {
        try_join_all(self.servers.iter().map(|server| server.kill())).await.map(drop)
    }

    /// [`LabServer::stop`] on every server at the same time.
    ///
    /// # Errors
    /// The first one met.
    pub async fn stop(&self, limit: Duration) -> Result<(), ControlError> {
        try_join_all(self.servers.iter().map(|server| server.stop(limit))).await.map(drop)
    }

    /// [`LabServer::retire`] on every server at the same time.
    ///
    /// # Errors
    /// The first one met.
    pub async fn retire(&self, limit: Duration) -> Result<(), ControlError> {
        try_join_all(self.servers.iter().map(|server| server.retire(limit))).await.map(drop)
    }

    /// [`LabServer::drain`] on every server at the same time.
    ///
    /// # Errors
    /// The first one met.
    pub async fn drain(&self, limit: Duration) -> Result<(), ControlError> {
        try_join_all(self.servers.iter().map(|server| server.drain(limit))).await.map(drop)
    }

    /// [`LabServer::await_exit`] of every server.
    ///
    /// # Errors
    /// The first one met.
    pub async fn await_exit(&self, limit: Duration) -> Result<(), ControlError> {
        try_join_all(self.servers.iter().map(|server| server.await_exit(limit))).await.map(drop)
    }

    /// [`LabServer::lame_duck`] on every server.
    ///
    /// # Errors
    /// The first one met; later servers are then left alone.
    pub fn lame_duck(&self) -> Result<(), ControlError> {
        self.servers.iter().try_for_each(|server| server.lame_duck())
    }

    /// [`LabServer::freeze`] on every server at the same time.
    ///
    /// # Errors
    /// The first one met.
    pub async fn freeze(&self) -> Result<(), ControlError> {
        try_join_all(self.servers.iter().map(|server| server.freeze())).await.map(drop)
    }

    /// [`LabServer::thaw`] on every server.
    ///
    /// # Errors
    /// The first one met; later servers are then left alone.
    pub fn thaw(&self) -> Result<(), ControlError> {
        self.servers.iter().try_for_each(|server| server.thaw())
    }
}
